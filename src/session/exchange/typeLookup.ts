/**
 * Looks up types between two runs of a pipeline. It shares the pipeline's transaction, because a query of its own would
 * need a Sync, which would commit the runs before it.
 *
 * ```
 * Parse Bind Describe Execute Flush  ->  ParseComplete BindComplete RowDescription DataRow... CommandComplete
 * ```
 */
import type { Buffer } from "node:buffer"
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { parameterEncoders } from "../../codec/parameters.ts"
import { pgType } from "../../codec/oid.generated.ts"
import { builtinTypes } from "../../codec/registry.ts"
import { makeRowShape, type TupleRow } from "../../codec/rowReader.ts"
import { Backend, Format } from "../../wire/backendMessage.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import { decodeRowDescription } from "../../wire/coldMessages.ts"
import { ProtocolViolation } from "../../wire/failure.ts"
import {
  bindNames,
  type BoundStatement,
  encodeResultFormats,
  writeBind,
  writeDescribePortal,
  writeExecute,
  writeFlush,
  writeParse
} from "../../wire/frontendEncoder.ts"
import { Awaiting } from "./awaiting.ts"
import { readDescriptions, typeQuery } from "../types/typeQuery.ts"
import { Desynchronised } from "../engine/exchange.ts"
import { RowCollector } from "./rowCollector.ts"

const PARAMETER_OIDS = [pgType.oid.arrayOid]

const BOUND: BoundStatement = {
  bindNames: bindNames(""),
  parameters: parameterEncoders(PARAMETER_OIDS, builtinTypes),
  resultFormats: encodeResultFormats([Format.binary])
}

export class TypeLookup {
  private readonly types: DatabaseTypes
  private readonly oids: ReadonlyArray<number>
  private readonly collector = new RowCollector<TupleRow>()
  private awaiting: Awaiting = Awaiting.parseComplete

  /** Adds the types to `types`. */
  constructor(types: DatabaseTypes, oids: ReadonlyArray<number>) {
    this.types = types
    this.oids = oids
  }

  write(writer: ByteWriter, parameters: ReadonlyMap<string, string>): void {
    writeParse(writer, "", typeQuery(parameters), PARAMETER_OIDS)
    writeBind(writer, BOUND, [this.oids])
    writeDescribePortal(writer)
    writeExecute(writer, 0)
    writeFlush(writer)
  }

  dataRows(bytes: Buffer, at: number, limit: number): number {
    if (this.awaiting !== Awaiting.rows) throw new Desynchronised(Backend.DataRow, this.awaiting)
    return this.collector.addAll(bytes, at, limit)
  }

  /** Returns true once the answer is complete. */
  message(type: number, bytes: Buffer, start: number, end: number): boolean {
    const { awaiting, collector } = this
    if (type === Backend.ParseComplete && awaiting === Awaiting.parseComplete) {
      this.awaiting = Awaiting.bindComplete
    } else if (type === Backend.BindComplete && awaiting === Awaiting.bindComplete) {
      this.awaiting = Awaiting.portalDescription
    } else if (type === Backend.RowDescription && awaiting === Awaiting.portalDescription) {
      const columns = decodeRowDescription(bytes, start, end)
      const formats = columns.map(() => Format.binary)
      collector.reader = makeRowShape(columns, builtinTypes, formats).tuple
      this.awaiting = Awaiting.rows
    } else if (type === Backend.CommandComplete && awaiting === Awaiting.rows) {
      if (collector.refused !== undefined) throw new ProtocolViolation(collector.refused.message)
      this.types.add(readDescriptions(collector.rows))
      return true
    } else {
      throw new Desynchronised(type, awaiting)
    }
    return false
  }
}
