/**
 * Values of types for which there is no codec. The server sends them in their binary form, which only itself can read, so
 * it is asked for their texts, all of a message at once. They are then read as everywhere else: as text.
 */
import { Buffer } from "node:buffer"
import type { BinaryValue } from "../session/exchange/unreadRows.ts"
import { Undecodable } from "../wire/failure.ts"

/** Thrown when a message has values whose texts are not known yet. Once they are, it can be read again. */
export class MissingTexts extends Undecodable {
  readonly values: ReadonlyArray<BinaryValue>

  constructor(values: ReadonlyArray<BinaryValue>) {
    super("the texts of values without a codec are not known yet")
    this.values = values
  }
}

const keyOf = (oid: number, bytes: Buffer, start: number, end: number): string =>
  `${oid} ${bytes.toString("latin1", start, end)}`

const REFUSED =
  "the server cannot read the value any more, because its type was dropped since, and a stream with a temporary slot " +
  "cannot begin anew to get it as text; use a slot that is not temporary"

export class ForeignValues {
  /** The texts for the message that is being read. */
  private readonly texts = new Map<string, string>()
  private readonly missing = new Map<string, BinaryValue>()
  /** Values of the message that the server has refused to read, and to whose texts there is no other way. */
  private readonly refused = new Set<string>()

  /** The text of a value; an empty one if it is missing, in which case `check` throws. */
  read(oid: number, bytes: Buffer, start: number, end: number): string {
    const key = keyOf(oid, bytes, start, end)
    const text = this.texts.get(key)
    if (this.refused.has(key)) throw new Undecodable(REFUSED)
    if (text === undefined) this.missing.set(key, { oid, bytes: Buffer.from(bytes.subarray(start, end)) })
    return text ?? ""
  }

  /** Throws if a text was missing since the last check. */
  check(): void {
    if (this.missing.size === 0) return
    const values = [...this.missing.values()]
    this.missing.clear()
    throw new MissingTexts(values)
  }

  learn(values: ReadonlyArray<BinaryValue>, texts: ReadonlyArray<string>): void {
    for (const [index, { bytes, oid }] of values.entries()) {
      this.texts.set(keyOf(oid, bytes, 0, bytes.length), texts[index] ?? "")
    }
  }

  refuse({ bytes, oid }: BinaryValue): void {
    this.refused.add(keyOf(oid, bytes, 0, bytes.length))
  }

  /** The message has been read. */
  clear(): void {
    if (this.texts.size > 0) this.texts.clear()
    if (this.refused.size > 0) this.refused.clear()
  }
}
