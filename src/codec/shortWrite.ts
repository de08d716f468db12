/**
 * Writes the commonest values of COPY without a call of their codec: of a million rows, such calls are half the work. It
 * writes what the codec would write, or nothing.
 */
import type { ByteWriter } from "../wire/byteWriter.ts"
import type { Codec } from "./codec.ts"
import { float8 } from "./float.ts"
import { int4 } from "./integer.ts"
import { bpchar, text, varchar } from "./text.ts"

const Shortcut = { int4: 1, float8: 2, text: 3 } as const
type Shortcut = (typeof Shortcut)[keyof typeof Shortcut]

/** By the function that writes the values, because a program may have a codec of its own for the type. */
const shortcuts: ReadonlyMap<Codec["write"], Shortcut> = new Map<Codec["write"], Shortcut>([
  [int4.write, Shortcut.int4],
  [float8.write, Shortcut.float8],
  [text.write, Shortcut.text],
  [varchar.write, Shortcut.text],
  [bpchar.write, Shortcut.text]
])

export const shortcutFor = (codec: Codec | undefined): Shortcut | undefined => codec && shortcuts.get(codec.write)

/** Writes a value behind its length. Returns false, and writes nothing, if the codec has to write it. */
export const wasShort = (writer: ByteWriter, value: unknown, shortcut: Shortcut | undefined): boolean => {
  switch (shortcut) {
    case Shortcut.int4:
      if (typeof value !== "number" || (value | 0) !== value) return false
      writer.int32Value(value)
      return true
    case Shortcut.float8:
      if (typeof value !== "number") return false
      writer.float64Value(value)
      return true
    case Shortcut.text:
      return typeof value === "string" && writer.shortTextValue(value)
    default:
      return false
  }
}
