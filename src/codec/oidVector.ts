/**
 * int2vector and oidvector, list types of the catalog: arrays of one dimension whose indexes begin at 0. The server
 * sends an empty one in binary but does not accept it, so it is sent as text: the numbers separated by spaces.
 */
import type { Buffer } from "node:buffer"
import { Format } from "../wire/backendMessage.ts"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { losslessArrayOf, PgArray } from "./array.ts"
import { type Codec, isFlat, refusedKind } from "./codec.ts"
import { int2, oid } from "./integer.ts"
import { pgType } from "./oid.generated.ts"

const FIRST_INDEX = 0

const isNumber = (value: unknown): value is number => typeof value === "number"

const vectorOf = (name: string, element: Codec<number>, elementOid: number): Codec<ReadonlyArray<number>> => {
  const array = losslessArrayOf(element, elementOid)
  const elementsOf = (value: unknown): ReadonlyArray<unknown> => {
    if (!Array.isArray(value) || !value.every(isNumber)) throw refusedKind(name, "an array of numbers", value)
    return value
  }
  return {
    name,
    read: (bytes: Buffer, start, end) => {
      const { values } = array.read(bytes, start, end)
      if (!values.every(isNumber)) throw new Undecodable(`the ${name} is not a list of numbers`)
      return values
    },
    write: (writer: ByteWriter, value) => {
      const elements = elementsOf(value)
      if (elements.length === 0)
        throw new Unencodable(
          `the server accepts an empty ${name} only as text, but this request needs the binary format`
        )
      array.write(writer, new PgArray(elements, [FIRST_INDEX]))
    },
    writesStrings: false,
    formatOf: (value) => (Array.isArray(value) && value.length === 0 ? Format.text : Format.binary),
    textOf: (value) => elementsOf(value).join(" "),
    ofText: (text) => {
      const numbers = text === "" ? [] : text.split(" ").map(Number)
      if (numbers.every(Number.isInteger)) return numbers
      throw new Undecodable(`the text of ${name} is malformed`)
    },
    isElement: isFlat
  }
}

export const int2vector: Codec<ReadonlyArray<number>> = vectorOf("int2vector", int2, pgType.int2.oid)
export const oidvector: Codec<ReadonlyArray<number>> = vectorOf("oidvector", oid, pgType.oid.oid)
