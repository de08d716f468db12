/**
 * float4 and float8. A float4 is read as the exact number that it stores: `1.1` in a float4 reads as 1.100000023841858,
 * as `1.1::float4::float8` does, and is written back unchanged. The server prints "1.1" because that is the shortest
 * text for the same float4, but it is another number.
 */
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

const numberOf = (name: string, value: unknown): number => {
  if (typeof value === "number") return value
  if (typeof value !== "bigint") throw refusedKind(name, "a number or a bigint", value)
  const number = Number(value)
  if (!Number.isFinite(number)) throw outOfRange(name)
  return number
}

const outOfRange = (name: string): Unencodable => new Unencodable(`the value is out of range for ${name}`)

const numberIn = (name: string, text: string): number => {
  const number = Number(text)
  if (text === "" || (Number.isNaN(number) && text !== "NaN"))
    throw new Undecodable(`the text of ${name} is not a number`)
  return number
}

export const float4: Codec<number> = {
  name: "float4",
  read: (bytes, start, end) => {
    expectWidth("float4", 4, start, end)
    return bytes.readFloatBE(start)
  },
  write: (writer, value) => {
    const number = numberOf("float4", value)
    if (Number.isFinite(number) && !Number.isFinite(Math.fround(number))) throw outOfRange("float4")
    writer.float32(number)
  },
  writesStrings: false,
  ofText: (text) => Math.fround(numberIn("float4", text))
}

export const float8: Codec<number> = {
  name: "float8",
  read: (bytes, start, end) => {
    expectWidth("float8", 8, start, end)
    return bytes.readDoubleBE(start)
  },
  write: (writer, value) => writer.float64(numberOf("float8", value)),
  writesStrings: false,
  ofText: (text) => numberIn("float8", text)
}
