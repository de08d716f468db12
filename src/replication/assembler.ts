/**
 * Makes transactions of the messages of a stream. A transaction is handed over when it is complete, or when so much of it
 * has come that the rest is better read piece by piece.
 *
 * The server sends transactions in the order of their commits, and after a reconnection it sends those again that were
 * not acknowledged. So everything up to the last transaction that was handed over is left out, and of one that was handed
 * over in part, the part that was read.
 */
import type { Buffer } from "node:buffer"
import { formatLsn } from "../call/lsn.ts"
import type { DatabaseTypes } from "../codec/databaseTypes.ts"
import { ProtocolViolation } from "../wire/failure.ts"
import type {
  DeleteMessage,
  InsertMessage,
  LogicalMessageMessage,
  RelationMessage,
  TruncateMessage,
  UpdateMessage
} from "../wire/copyData/logicalMessage.ts"
import { PgoutputDecoder } from "../wire/copyData/pgoutput.ts"
import type { Acknowledgements, Entry } from "./acknowledgements.ts"
import type { Change, Relation } from "./change.ts"
import { ForeignValues } from "./foreignValues.ts"
import type { TableReader } from "./tableReader.ts"

/** A transaction of up to so many changes and bytes is handed over as a whole. */
const WHOLE_CHANGES = 1_000
const WHOLE_BYTES = 1_048_576

/** A transaction that is being received, or was. */
export interface Received {
  readonly xid: number | undefined
  readonly commitLsn: bigint
  readonly time: bigint
  endLsn: bigint | undefined
  /** The changes that have come and were not taken, each with the reader of its table. */
  pending: Array<ReceivedChange>
  /** Whether everything that has come is in `pending`, and stays there. */
  isWhole: boolean
  /** Set once it is handed over. */
  entry: Entry | undefined
  /** The reader has gone on to the next one. */
  isAbandoned: boolean
}

export interface ReceivedChange {
  readonly change: Change
  readonly reader: TableReader | undefined
}

/** A transaction on the way, and how much of it has come. */
interface Open {
  readonly received: Received
  /** How many changes have come, of whatever table. */
  seen: number
  /** How many of them had come before the connection was lost. */
  readonly known: number
  bytes: number
}

/** Makes the reader of a table; undefined if its changes are left out. */
export type MakeReader = (message: RelationMessage) => TableReader | undefined

const LSN_OF_MESSAGE_BYTES = 1n

export class Assembler {
  /** The transaction to hand over next. */
  ready: Received | undefined
  /** Transactions whose commit is before it are left out. */
  floor: bigint
  private decoder = new PgoutputDecoder()
  private readonly readers = new Map<number, TableReader | undefined>()
  private readonly makeReader: MakeReader
  private readonly acknowledgements: Acknowledgements
  private readonly foreign: ForeignValues
  private open: Open | undefined
  /** A transaction that was handed over, and of which the rest comes again after a reconnection. */
  private interrupted: Open | undefined
  /** Whether the transaction that comes is left out. */
  private isSkipping = false
  /** The transaction that began last, also if it is left out. */
  xid: number | undefined

  constructor(
    makeReader: MakeReader,
    acknowledgements: Acknowledgements,
    floor: bigint,
    foreign = new ForeignValues()
  ) {
    this.makeReader = makeReader
    this.foreign = foreign
    this.acknowledgements = acknowledgements
    this.floor = floor
  }

  /** The commit of the transaction that is being received. */
  get commitLsn(): bigint | undefined {
    return this.open?.received.commitLsn
  }

  /** Whether the server is between two transactions. */
  get isBetween(): boolean {
    return this.open === undefined && !this.isSkipping && this.interrupted === undefined
  }

  /** The server begins again, and describes the tables anew. */
  restart(): void {
    this.decoder = new PgoutputDecoder()
    this.readers.clear()
    if (this.open?.received.entry !== undefined) this.interrupted = this.open
    this.open = undefined
    this.isSkipping = false
  }

  /** The types of all columns of the tables that were described. */
  get typeOids(): ReadonlyArray<number> {
    return [...this.readers.values()].flatMap((reader) => reader?.relation.columns.map(({ typeOid }) => typeOid) ?? [])
  }

  /** From now on, reads the rows of all tables with these types, of which some were unknown or have changed. */
  readAnew(types: DatabaseTypes): void {
    for (const [oid, reader] of this.readers) if (reader !== undefined) this.readers.set(oid, reader.with(types))
  }

  caughtUp(lsn: bigint): void {
    if (this.isBetween) this.acknowledgements.caughtUp(lsn)
  }

  /** Takes a message. If it throws `UnresolvedType` or `MissingTexts`, it has done nothing and can be called again. */
  take(bytes: Buffer, sentAt: bigint): void {
    const message = this.decoder.decode(bytes, 0, bytes.length)
    switch (message._tag) {
      case "Begin":
        return this.begin(message.finalLsn, message.time, message.xid)
      case "Commit":
        return this.commit(message.commitLsn, message.endLsn)
      case "Relation":
        return void this.readers.set(message.oid, this.makeReader(message))
      case "Origin":
      case "Type":
        return
      case "Message":
        return message.isTransactional ? this.changed(message, bytes.length) : this.loneMessage(message, sentAt)
      case "Insert":
      case "Update":
      case "Delete":
      case "Truncate":
        return this.changed(message, bytes.length)
      default:
        throw new ProtocolViolation(`a ${message._tag}, which was not asked for`)
    }
  }

  private begin(commitLsn: bigint, time: bigint, xid: number): void {
    if (this.open !== undefined || this.isSkipping) throw new ProtocolViolation("a Begin within a transaction")
    this.xid = xid
    const { interrupted } = this
    if (interrupted?.received.commitLsn === commitLsn) {
      this.interrupted = undefined
      this.open = { ...interrupted, seen: 0, known: Math.max(interrupted.seen, interrupted.known) }
    } else if (commitLsn < this.floor) {
      this.isSkipping = true
    } else if (interrupted !== undefined) {
      throw new ProtocolViolation("another transaction than the one that the lost connection has interrupted")
    } else {
      this.open = { received: newReceived(xid, commitLsn, time), seen: 0, known: 0, bytes: 0 }
    }
  }

  private commit(commitLsn: bigint, endLsn: bigint): void {
    const { acknowledgements, open } = this
    if (this.isSkipping) {
      this.isSkipping = false
      return
    }
    if (open === undefined || open.received.commitLsn !== commitLsn) {
      throw new ProtocolViolation("a Commit that does not end the transaction before it")
    }
    this.open = undefined
    const { received } = open
    received.endLsn = endLsn
    if (received.entry !== undefined) return acknowledgements.ended(received.entry, endLsn)
    this.floor = commitLsn + 1n
    if (received.pending.length === 0) return acknowledgements.caughtUp(endLsn)
    received.isWhole = true
    this.handOver(received)
  }

  private handOver(received: Received): void {
    const { commitLsn, endLsn } = received
    this.floor = commitLsn + 1n
    received.entry = this.acknowledgements.add(commitLsn, endLsn)
    this.ready = received
  }

  private changed(
    message: InsertMessage | UpdateMessage | DeleteMessage | TruncateMessage | LogicalMessageMessage,
    bytes: number
  ): void {
    const { open } = this
    if (this.isSkipping) return
    if (open === undefined) throw new ProtocolViolation(`a ${message._tag} outside of a transaction`)
    const { received } = open
    if (open.seen >= open.known && !received.isAbandoned) {
      const change = this.changeOf(message)
      // A value without a codec needs its text from the server.
      this.foreign.check()
      this.foreign.clear()
      if (change !== undefined) {
        received.pending.push(change)
        open.bytes += bytes
      }
    }
    open.seen++
    if (received.entry === undefined && (received.pending.length >= WHOLE_CHANGES || open.bytes >= WHOLE_BYTES)) {
      this.handOver(received)
    }
  }

  private changeOf(
    message: InsertMessage | UpdateMessage | DeleteMessage | TruncateMessage | LogicalMessageMessage
  ): ReceivedChange | undefined {
    switch (message._tag) {
      case "Message":
        return { change: messageChange(message), reader: undefined }
      case "Truncate": {
        const readers = message.relations.flatMap((oid) => this.readerOf(oid) ?? [])
        const relations: ReadonlyArray<Relation> = readers.map(({ relation }) => relation)
        const { cascade, restartIdentity } = message
        const tables = readers.map(({ table }) => table)
        if (tables.length === 0) return undefined
        return { change: { _tag: "Truncate", tables, relations, cascade, restartIdentity }, reader: undefined }
      }
      default: {
        const reader = this.readerOf(message.relation)
        return reader && { change: rowChange(message, reader), reader }
      }
    }
  }

  private readerOf(oid: number): TableReader | undefined {
    if (!this.readers.has(oid)) throw new ProtocolViolation("a change of a table that was not described")
    return this.readers.get(oid)
  }

  /** A message that belongs to no transaction. The server sends it when it was written. */
  private loneMessage(message: LogicalMessageMessage, sentAt: bigint): void {
    if (message.lsn < this.floor) return
    const received = newReceived(undefined, message.lsn, sentAt)
    received.pending.push({ change: messageChange(message), reader: undefined })
    received.endLsn = message.lsn + LSN_OF_MESSAGE_BYTES
    received.isWhole = true
    this.handOver(received)
  }
}

const newReceived = (xid: number | undefined, commitLsn: bigint, time: bigint): Received => ({
  xid,
  commitLsn,
  time,
  endLsn: undefined,
  pending: [],
  isWhole: false,
  entry: undefined,
  isAbandoned: false
})

const messageChange = ({ content, isTransactional, lsn, prefix }: LogicalMessageMessage): Change => ({
  _tag: "Message",
  prefix,
  content: new Uint8Array(content),
  isTransactional,
  lsn: formatLsn(lsn)
})

const rowChange = (message: InsertMessage | UpdateMessage | DeleteMessage, reader: TableReader): Change => {
  const { relation, table } = reader
  switch (message._tag) {
    case "Insert":
      return { _tag: "Insert", table, relation, row: reader.row(message.row).row }
    case "Update": {
      const { old } = message
      const full = old?.of === "row" ? old.tuple : undefined
      const { row, unchanged } = reader.row(message.row, old?.tuple, old?.of === "key")
      const key = reader.key(old?.tuple ?? message.row)
      return { _tag: "Update", table, relation, row, key, old: full && reader.row(full).row, unchanged }
    }
    case "Delete": {
      const { of, tuple } = message.old
      return {
        _tag: "Delete",
        table,
        relation,
        key: reader.key(tuple),
        old: of === "row" ? reader.row(tuple).row : undefined
      }
    }
  }
}
