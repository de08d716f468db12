/** Collects the data of a COPY out of the database for its reader, as bytes or as rows. */
import type { Buffer } from "node:buffer"
import { type ObjectRow, type RowReader, UndecodableColumn } from "../../codec/rowReader.ts"
import { beginRows, endRows } from "../../codec/valueMemory.ts"
import * as PgError from "../../PgError.ts"
import type { Collector } from "../../session/exchange/copyOutExchange.ts"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { CopyRowDecoder } from "../../wire/copyData/copyBinary.ts"

/** Collects bytes as they come. The boundaries of the chunks have no meaning. */
export class BytesCollector implements Collector<Uint8Array> {
  readonly rows = undefined
  private readonly writer = new ByteWriter()

  take(bytes: Buffer, start: number, end: number): void {
    this.writer.raw(bytes.subarray(start, end))
  }

  end(): void {}

  collected(): ReadonlyArray<Uint8Array> {
    return this.writer.length === 0 ? [] : [this.writer.take()]
  }
}

/** Collects rows, which it decodes from the binary format. */
export class RowsCollector implements Collector<ObjectRow> {
  rows = 0
  private readonly sql: string
  private readonly read: RowReader<ObjectRow>
  private readonly decoder: CopyRowDecoder
  private waiting: Array<ObjectRow> = []

  constructor(sql: string, read: RowReader<ObjectRow>) {
    this.sql = sql
    this.read = read
    this.decoder = new CopyRowDecoder((bytes, start, end) => {
      this.waiting.push(this.read(bytes, start, end))
      this.rows++
    })
  }

  take(bytes: Buffer, start: number, end: number): void {
    beginRows()
    try {
      this.decoder.push(bytes, start, end)
    } catch (failure) {
      if (!(failure instanceof UndecodableColumn)) throw failure
      const { column, message, typeName } = failure
      throw new PgError.DecodeError({ column, type: typeName, reason: message, sql: this.sql })
    } finally {
      endRows()
    }
  }

  end(): void {
    this.decoder.expectEnd()
  }

  collected(): ReadonlyArray<ObjectRow> {
    const { waiting } = this
    this.waiting = []
    return waiting
  }
}
