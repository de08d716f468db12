/** bool: one byte, 0 or 1. Only a boolean is accepted: a client should not guess whether 0, "" or "f" is false. */
import { type Codec, expectWidth, refusedKind } from "./codec.ts"

export const bool: Codec<boolean> = {
  name: "bool",
  read: (bytes, start, end) => {
    expectWidth("bool", 1, start, end)
    return bytes[start] !== 0
  },
  write: (writer, value) => {
    if (typeof value !== "boolean") throw refusedKind("bool", "a boolean", value)
    writer.uint8(value ? 1 : 0)
  },
  writesStrings: false,
  ofText: (text) => text === "t"
}
