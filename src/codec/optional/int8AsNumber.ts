/** Reads int8 as a number, for databases whose int8 values are small. */
import { Undecodable } from "../../wire/failure.ts"
import { int32At } from "../bigEndian.ts"
import { type Codec, expectWidth } from "../codec.ts"
import { int8 } from "../integer.ts"
import { builtinTypeCodec, type TypeCodec } from "../typeCodec.ts"

const WORD = 0x100000000

const exact = (number: number): number => {
  if (Number.isSafeInteger(number)) return number
  throw new Undecodable("the int8 is beyond 2^53 - 1, so no number can hold it exactly; leave PgTypes.int8AsNumber out")
}

const int8AsNumberCodec: Codec<number> = {
  name: int8.name,
  read: (bytes, start, end) => {
    expectWidth(int8.name, 8, start, end)
    return exact(int32At(bytes, start) * WORD + (int32At(bytes, start + 4) >>> 0))
  },
  write: int8.write,
  writesStrings: false,
  ofText: (text) => exact(Number(text))
}

/**
 * Reads `int8` (SQL's `bigint`, which `count` returns) as a number. A value beyond 2^53 - 1 is never rounded: it fails
 * with a `DecodeError`. Bigints are still accepted as parameters.
 *
 * @example
 * ```ts
 * import { PgClient, PgTypes } from "effectpg"
 *
 * export const Database = PgClient.layer({ types: [PgTypes.int8AsNumber, PgTypes.numericAsBigDecimal] })
 * ```
 * @category codecs
 * @since 0.1.0
 */
export const int8AsNumber: TypeCodec = builtinTypeCodec(int8AsNumberCodec)
