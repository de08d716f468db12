/**
 * void: the result type of functions that return nothing. It is read as null; as a parameter it is the empty string.
 */
import { Unencodable } from "../wire/failure.ts"
import { type Codec, expectWidth } from "./codec.ts"

export const voidType: Codec<null> = {
  name: "void",
  read: (_bytes, start, end) => {
    expectWidth("void", 0, start, end)
    return null
  },
  write: (_writer, value) => {
    if (value !== "") throw new Unencodable("void takes only null and the empty string")
  },
  writesStrings: true,
  ofText: () => null
}
