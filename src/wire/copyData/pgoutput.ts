/**
 * Decodes the messages of the plugin `pgoutput`. Every length and count is checked; bytes that the protocol does not
 * allow are a `ProtocolViolation`. Within a block of a streamed transaction, most messages begin with the ID of the
 * transaction, so the decoder remembers whether it is in one.
 */
import type { Buffer } from "node:buffer"
import { ByteReader } from "../byteReader.ts"
import { ProtocolViolation } from "../failure.ts"
import {
  type DeleteMessage,
  type InsertMessage,
  type LogicalMessage,
  type LogicalMessageMessage,
  type OldTuple,
  type RelationColumn,
  type RelationMessage,
  type ReplicaIdentity,
  type TruncateMessage,
  type Tuple,
  TupleKind,
  type TypeMessage,
  type UpdateMessage
} from "./logicalMessage.ts"

/** The first byte of each message. */
const Type = {
  Begin: 0x42, // B
  Commit: 0x43, // C
  Origin: 0x4f, // O
  Relation: 0x52, // R
  Type: 0x59, // Y
  Insert: 0x49, // I
  Update: 0x55, // U
  Delete: 0x44, // D
  Truncate: 0x54, // T
  Message: 0x4d, // M
  StreamStart: 0x53, // S
  StreamStop: 0x45, // E
  StreamCommit: 0x63, // c
  StreamAbort: 0x41, // A
  BeginPrepare: 0x62, // b
  Prepare: 0x50, // P
  CommitPrepared: 0x4b, // K
  RollbackPrepared: 0x72, // r
  StreamPrepare: 0x70 // p
} as const

export class PgoutputDecoder {
  private isInStream = false

  /** Decodes the message in `bytes[start, end)`. Tuples and contents are views of `bytes`. */
  decode(bytes: Buffer, start: number, end: number): LogicalMessage {
    const reader = new ByteReader(bytes, start, end)
    const type = reader.uint8()
    const message = this.read(type, reader, bytes, end)
    reader.expectEnd(`a ${message._tag} of logical replication`)
    return message
  }

  private read(type: number, reader: ByteReader, bytes: Buffer, end: number): LogicalMessage {
    switch (type) {
      case Type.Begin:
        return { _tag: "Begin", finalLsn: reader.uint64(), time: reader.int64(), xid: reader.uint32() }
      case Type.Commit:
        reader.skip(FLAGS_BYTES)
        return { _tag: "Commit", commitLsn: reader.uint64(), endLsn: reader.uint64(), time: reader.int64() }
      case Type.Origin:
        return { _tag: "Origin", commitLsn: reader.uint64(), name: reader.cstring() }
      case Type.Relation:
        return readRelation(reader, this.xid(reader))
      case Type.Type:
        return readType(reader, this.xid(reader))
      case Type.Insert:
        return readInsert(reader, this.xid(reader), bytes, end)
      case Type.Update:
        return readUpdate(reader, this.xid(reader), bytes, end)
      case Type.Delete:
        return readDelete(reader, this.xid(reader), bytes, end)
      case Type.Truncate:
        return readTruncate(reader, this.xid(reader))
      case Type.Message:
        return readMessage(reader, this.xid(reader))
      case Type.StreamStart:
        if (this.isInStream) throw new ProtocolViolation("a StreamStart within a block of a streamed transaction")
        this.isInStream = true
        return { _tag: "StreamStart", xid: reader.uint32(), isFirst: reader.uint8() === 1 }
      case Type.StreamStop:
        if (!this.isInStream) throw new ProtocolViolation("a StreamStop outside of a streamed transaction")
        this.isInStream = false
        return { _tag: "StreamStop" }
      case Type.StreamCommit: {
        const xid = reader.uint32()
        reader.skip(FLAGS_BYTES)
        return { _tag: "StreamCommit", xid, commitLsn: reader.uint64(), endLsn: reader.uint64(), time: reader.int64() }
      }
      case Type.StreamAbort: {
        const [xid, subxid] = [reader.uint32(), reader.uint32()]
        const isTimed = reader.left > 0
        const abortLsn = isTimed ? reader.uint64() : undefined
        return { _tag: "StreamAbort", xid, subxid, abortLsn, time: isTimed ? reader.int64() : undefined }
      }
      case Type.BeginPrepare:
        return { _tag: "BeginPrepare", ...readPrepare(reader) }
      case Type.Prepare:
        reader.skip(FLAGS_BYTES)
        return { _tag: "Prepare", ...readPrepare(reader) }
      case Type.StreamPrepare:
        reader.skip(FLAGS_BYTES)
        return { _tag: "StreamPrepare", ...readPrepare(reader) }
      case Type.CommitPrepared: {
        reader.skip(FLAGS_BYTES)
        const [commitLsn, endLsn, time] = [reader.uint64(), reader.uint64(), reader.int64()]
        return { _tag: "CommitPrepared", commitLsn, endLsn, time, xid: reader.uint32(), gid: reader.cstring() }
      }
      case Type.RollbackPrepared: {
        reader.skip(FLAGS_BYTES)
        const [prepareEndLsn, rollbackEndLsn] = [reader.uint64(), reader.uint64()]
        const [prepareTime, rollbackTime] = [reader.int64(), reader.int64()]
        const [xid, gid] = [reader.uint32(), reader.cstring()]
        return { _tag: "RollbackPrepared", prepareEndLsn, rollbackEndLsn, prepareTime, rollbackTime, xid, gid }
      }
      default:
        throw new ProtocolViolation(`an unknown message of logical replication (type 0x${type.toString(16)})`)
    }
  }

  private xid(reader: ByteReader): number | undefined {
    return this.isInStream ? reader.uint32() : undefined
  }
}

/** Int8 flags, of which none is in use. */
const FLAGS_BYTES = 1

const identities: ReadonlyMap<number, ReplicaIdentity> = new Map<number, ReplicaIdentity>([
  [0x64, "default"], // d
  [0x6e, "nothing"], // n
  [0x66, "full"], // f
  [0x69, "index"] // i
])

/** Int32 OID, String schema, String name, Int8 identity, Int16 number of columns, each: Int8 flags, String name, Int32 type, Int32 modifier. */
const readRelation = (reader: ByteReader, xid: number | undefined): RelationMessage => {
  const [oid, schema, name] = [reader.uint32(), reader.cstring(), reader.cstring()]
  const identity = identities.get(reader.uint8())
  if (identity === undefined) throw new ProtocolViolation("a Relation with an unknown replica identity")
  const count = reader.uint16()
  const columns: Array<RelationColumn> = []
  for (let index = 0; index < count; index++) {
    const flags = reader.uint8()
    const [column, typeOid, typeModifier] = [reader.cstring(), reader.uint32(), reader.int32()]
    columns.push({ name: column, isKey: (flags & KEY_FLAG) !== 0, typeOid, typeModifier })
  }
  // The server sends no schema for what is in pg_catalog.
  return { _tag: "Relation", xid, oid, schema: schema === "" ? "pg_catalog" : schema, name, identity, columns }
}

const KEY_FLAG = 1

const readType = (reader: ByteReader, xid: number | undefined): TypeMessage => {
  const [oid, schema, name] = [reader.uint32(), reader.cstring(), reader.cstring()]
  return { _tag: "Type", xid, oid, schema: schema === "" ? "pg_catalog" : schema, name }
}

const NEW = 0x4e // N
const OLD_KEY = 0x4b // K
const OLD_ROW = 0x4f // O

const readInsert = (reader: ByteReader, xid: number | undefined, bytes: Buffer, end: number): InsertMessage => {
  const relation = reader.uint32()
  if (reader.uint8() !== NEW) throw new ProtocolViolation("an Insert without a new row")
  return { _tag: "Insert", xid, relation, row: readTuple(reader, bytes, end) }
}

const readUpdate = (reader: ByteReader, xid: number | undefined, bytes: Buffer, end: number): UpdateMessage => {
  const relation = reader.uint32()
  let mark = reader.uint8()
  let old: OldTuple | undefined
  if (mark === OLD_KEY || mark === OLD_ROW) {
    old = { of: mark === OLD_KEY ? "key" : "row", tuple: readTuple(reader, bytes, end) }
    mark = reader.uint8()
  }
  if (mark !== NEW) throw new ProtocolViolation("an Update without a new row")
  return { _tag: "Update", xid, relation, old, row: readTuple(reader, bytes, end) }
}

const readDelete = (reader: ByteReader, xid: number | undefined, bytes: Buffer, end: number): DeleteMessage => {
  const relation = reader.uint32()
  const mark = reader.uint8()
  if (mark !== OLD_KEY && mark !== OLD_ROW) throw new ProtocolViolation("a Delete without an old row")
  return {
    _tag: "Delete",
    xid,
    relation,
    old: { of: mark === OLD_KEY ? "key" : "row", tuple: readTuple(reader, bytes, end) }
  }
}

/** Int32 number of tables, Int8 flags (1 for CASCADE, 2 for RESTART IDENTITY), Int32 OID of each. */
const readTruncate = (reader: ByteReader, xid: number | undefined): TruncateMessage => {
  const count = reader.uint32()
  const flags = reader.uint8()
  if (count * OID_BYTES !== reader.left) throw new ProtocolViolation(`a Truncate with a false number of tables`)
  const relations: Array<number> = []
  for (let index = 0; index < count; index++) relations.push(reader.uint32())
  return { _tag: "Truncate", xid, relations, cascade: (flags & 1) !== 0, restartIdentity: (flags & 2) !== 0 }
}

const OID_BYTES = 4

/** Int8 flags (1 for transactional), Int64 position, String prefix, Int32 length, the content. */
const readMessage = (reader: ByteReader, xid: number | undefined): LogicalMessageMessage => {
  const isTransactional = (reader.uint8() & 1) !== 0
  const [lsn, prefix] = [reader.uint64(), reader.cstring()]
  return { _tag: "Message", xid, isTransactional, lsn, prefix, content: reader.view(reader.int32()) }
}

/** Int64 position of PREPARE, Int64 position behind it, Int64 time, Int32 transaction, String its name. */
const readPrepare = (reader: ByteReader) => {
  const [prepareLsn, endLsn, time] = [reader.uint64(), reader.uint64(), reader.int64()]
  return { prepareLsn, endLsn, time, xid: reader.uint32(), gid: reader.cstring() }
}

/** Int16 number of columns, each: Byte1 kind; for text and binary: Int32 length, the bytes. */
const readTuple = (reader: ByteReader, bytes: Buffer, end: number): Tuple => {
  const count = reader.uint16()
  const kinds: Array<TupleKind> = []
  const starts: Array<number> = []
  const ends: Array<number> = []
  for (let index = 0; index < count; index++) {
    const kind = reader.uint8()
    switch (kind) {
      case TupleKind.null:
      case TupleKind.unchanged:
        kinds.push(kind)
        starts.push(0)
        ends.push(0)
        break
      case TupleKind.text:
      case TupleKind.binary: {
        const length = reader.int32()
        const start = end - reader.left
        reader.skip(length)
        kinds.push(kind)
        starts.push(start)
        ends.push(start + length)
        break
      }
      default:
        throw new ProtocolViolation(`a row with a column of the unknown kind 0x${kind.toString(16)}`)
    }
  }
  return { bytes, kinds, starts, ends }
}
