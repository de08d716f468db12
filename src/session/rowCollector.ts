/** The rows of one answer as they come: read at once, or kept as they came until all is known that it takes to read them. */
import { Buffer } from "node:buffer"
import { dataRowEnd, HEADER_BYTES } from "../wire/backendDecoder.ts"
import { type RowReader, UndecodableColumn } from "../codec/rowReader.ts"

export class RowCollector<Row> {
  readonly rows: Array<Row> = []
  /** The first column that could not be read. No row is read after it. */
  refused: UndecodableColumn | undefined
  private reader: RowReader<Row> | undefined
  private kept: Array<Buffer> | undefined

  get isUnused(): boolean {
    return this.rows.length === 0 && this.refused === undefined
  }

  /** Undefined where nobody wants the rows. */
  readWith(reader: RowReader<Row> | undefined): void {
    this.reader = reader
  }

  /** Reads nothing until `readKept`, since a column cannot be read before that. */
  refuse(column: UndecodableColumn): void {
    this.refused = column
    this.reader = undefined
    this.kept = []
  }

  /** Takes the DataRows that lie whole in `bytes[at, limit)` behind each other; returns where the last of them ends. */
  addAll(bytes: Buffer, at: number, limit: number): number {
    let start = at
    for (let end = dataRowEnd(bytes, at, limit); end !== 0; end = dataRowEnd(bytes, start, limit)) {
      this.add(bytes, start + HEADER_BYTES, end)
      start = end
    }
    return start
  }

  private add(bytes: Buffer, start: number, end: number): void {
    if (this.reader === undefined) {
      this.kept?.push(Buffer.from(bytes.subarray(start, end)))
      return
    }
    try {
      this.rows.push(this.reader(bytes, start, end))
    } catch (failure) {
      if (!(failure instanceof UndecodableColumn)) throw failure
      this.refuse(failure)
      if (failure.unresolved === undefined) this.kept = undefined
      else this.add(bytes, start, end)
    }
  }

  /** Reads what was kept, by now that it can be. */
  readKept(): void {
    const { kept = [] } = this
    this.kept = undefined
    this.refused = undefined
    for (const row of kept) this.add(row, 0, row.length)
  }
}
