/**
 * Collects the rows of one answer. It reads them at once, or keeps their bytes until the types that they need are
 * known.
 */
import { Buffer } from "node:buffer"
import { dataRowEnd, HEADER_BYTES } from "../../wire/backendDecoder.ts"
import { columnsOfRow, type RowReader, UndecodableColumn } from "../../codec/rowReader.ts"
import { beginRows, endRows } from "../../codec/valueMemory.ts"
import { ProtocolViolation } from "../../wire/failure.ts"

export class RowCollector<Row> {
  readonly rows: Array<Row> = []
  /** How many bytes the rows were on the wire. */
  bytes = 0
  /** Reads the rows that come next; undefined drops them. */
  reader: RowReader<Row> | undefined
  /** The first column that could not be read. No row is read after it. */
  refused: UndecodableColumn | undefined
  private kept: Array<Buffer> | undefined
  /** How many columns the kept rows have. */
  private columns = 0
  private readonly maxRows: number

  /** A server that sends more than `maxRows` rows breaks the protocol. */
  constructor(maxRows = Infinity) {
    this.maxRows = maxRows
  }

  get isUnused(): boolean {
    return this.rows.length === 0 && this.refused === undefined
  }

  /** Keeps rows of that many columns unread until `readKept`, because `column` cannot be read before. */
  refuse(column: UndecodableColumn, columns: number): void {
    this.refused = column
    this.reader = undefined
    this.kept = []
    this.columns = columns
  }

  /** Takes the whole DataRows in `bytes[at, limit)`, one behind the other. Returns where the last of them ends. */
  addAll(bytes: Buffer, at: number, limit: number): number {
    const first = dataRowEnd(bytes, at, limit)
    if (first === 0) return at
    this.add(bytes, at + HEADER_BYTES, first)
    const second = dataRowEnd(bytes, first, limit)
    const end = second === 0 ? first : this.addOthers(bytes, first, second, limit)
    this.bytes += end - at
    return end
  }

  /** Takes the second row, which ends at `second`, and those behind it. Only here are values that can share memory. */
  private addOthers(bytes: Buffer, at: number, second: number, limit: number): number {
    let start = at
    beginRows()
    try {
      for (let end = second; end !== 0; end = dataRowEnd(bytes, start, limit)) {
        this.add(bytes, start + HEADER_BYTES, end)
        start = end
      }
    } finally {
      endRows()
    }
    return start
  }

  private add(bytes: Buffer, start: number, end: number): void {
    if (this.reader === undefined) {
      if (this.kept !== undefined) this.keep(this.kept, bytes, start, end)
      return
    }
    if (this.rows.length >= this.maxRows) throw new ProtocolViolation("more rows than the client asked for")
    try {
      this.rows.push(this.reader(bytes, start, end))
    } catch (failure) {
      if (!(failure instanceof UndecodableColumn)) throw failure
      this.refuse(failure, columnsOfRow(bytes, start, end))
      if (failure.unresolved === undefined) this.kept = undefined
      else this.add(bytes, start, end)
    }
  }

  /** Checks a row before it is kept: a malformed row ends the session when it arrives, not later when it is read. */
  private keep(kept: Array<Buffer>, bytes: Buffer, start: number, end: number): void {
    const columns = columnsOfRow(bytes, start, end)
    if (columns !== this.columns) {
      throw new ProtocolViolation(`a row with ${columns} columns instead of the ${this.columns} that it had described`)
    }
    if (this.rows.length + kept.length >= this.maxRows)
      throw new ProtocolViolation("more rows than the client asked for")
    kept.push(Buffer.from(bytes.subarray(start, end)))
  }

  /** Forgets a run that has failed. */
  startAgain(): void {
    this.kept = undefined
    this.refused = undefined
  }

  /** The bodies of the rows that are kept unread. */
  get keptRows(): ReadonlyArray<Buffer> {
    return this.kept ?? []
  }

  /** Reads the kept rows, or what has been made of them, with the current reader. */
  readKept(kept = this.keptRows): void {
    this.kept = undefined
    this.refused = undefined
    for (const row of kept) this.add(row, 0, row.length)
  }
}
