/**
 * The messages of PostgreSQL's logical decoding plugin `pgoutput`, versions 1 to 4 of its protocol, as values. Positions
 * in the write-ahead log are bigints, times are microseconds since 2000-01-01 UTC.
 */
import type { Buffer } from "node:buffer"

/** What a tuple has for a column. */
export const TupleKind = {
  null: 0x6e, // n
  /** A large value that is stored apart from its row, and that the change has left as it was. It is not sent. */
  unchanged: 0x75, // u
  text: 0x74, // t
  binary: 0x62 // b
} as const
export type TupleKind = (typeof TupleKind)[keyof typeof TupleKind]

/** The columns of one version of a row. Column `i` is of `kinds[i]`, with its value in `bytes[starts[i], ends[i])`. */
export interface Tuple {
  readonly bytes: Buffer
  readonly kinds: ReadonlyArray<TupleKind>
  readonly starts: ReadonlyArray<number>
  readonly ends: ReadonlyArray<number>
}

/** Of the old version of a row, the server sends the columns of its identity (`key`), or all (`row`). */
export interface OldTuple {
  readonly of: "key" | "row"
  readonly tuple: Tuple
}

/** Which columns identify a row: those of the primary key (`default`), none, all (`full`), or those of an index. */
export type ReplicaIdentity = "default" | "nothing" | "full" | "index"

export interface RelationColumn {
  readonly name: string
  readonly isKey: boolean
  readonly typeOid: number
  readonly typeModifier: number
}

/** Begins a transaction. `finalLsn` is the position of its commit record. */
export interface BeginMessage {
  readonly _tag: "Begin"
  readonly finalLsn: bigint
  readonly time: bigint
  readonly xid: number
}

/** Ends a transaction. `endLsn` is the position behind its commit record. */
export interface CommitMessage {
  readonly _tag: "Commit"
  readonly commitLsn: bigint
  readonly endLsn: bigint
  readonly time: bigint
}

/** The transaction has come from another server, where its commit was at that position. */
export interface OriginMessage {
  readonly _tag: "Origin"
  readonly commitLsn: bigint
  readonly name: string
}

/** `xid` is set on a message of a transaction that is streamed before it is committed. */
interface Streamed {
  readonly xid: number | undefined
}

/** Describes a table. It comes before the first change of the table, and again after the table has changed. */
export interface RelationMessage extends Streamed {
  readonly _tag: "Relation"
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly identity: ReplicaIdentity
  readonly columns: ReadonlyArray<RelationColumn>
}

export interface TypeMessage extends Streamed {
  readonly _tag: "Type"
  readonly oid: number
  readonly schema: string
  readonly name: string
}

export interface InsertMessage extends Streamed {
  readonly _tag: "Insert"
  readonly relation: number
  readonly row: Tuple
}

/** `old` is there if the identity of the row has changed, or if all columns identify it. */
export interface UpdateMessage extends Streamed {
  readonly _tag: "Update"
  readonly relation: number
  readonly old: OldTuple | undefined
  readonly row: Tuple
}

export interface DeleteMessage extends Streamed {
  readonly _tag: "Delete"
  readonly relation: number
  readonly old: OldTuple
}

export interface TruncateMessage extends Streamed {
  readonly _tag: "Truncate"
  readonly relations: ReadonlyArray<number>
  readonly cascade: boolean
  readonly restartIdentity: boolean
}

/** What `pg_logical_emit_message` has written. `content` is a view of the message's bytes. */
export interface LogicalMessageMessage extends Streamed {
  readonly _tag: "Message"
  readonly isTransactional: boolean
  readonly lsn: bigint
  readonly prefix: string
  readonly content: Buffer
}

/** Begins a part of a transaction that is not committed yet. */
export interface StreamStartMessage {
  readonly _tag: "StreamStart"
  readonly xid: number
  readonly isFirst: boolean
}

export interface StreamStopMessage {
  readonly _tag: "StreamStop"
}

export interface StreamCommitMessage {
  readonly _tag: "StreamCommit"
  readonly xid: number
  readonly commitLsn: bigint
  readonly endLsn: bigint
  readonly time: bigint
}

/** Undoes a streamed transaction, or a savepoint of it, of which `subxid` is the ID. */
export interface StreamAbortMessage {
  readonly _tag: "StreamAbort"
  readonly xid: number
  readonly subxid: number
  /** Sent since version 4, with `streaming 'parallel'`. */
  readonly abortLsn: bigint | undefined
  readonly time: bigint | undefined
}

/** What the messages about a prepared transaction share. `gid` is the name that PREPARE TRANSACTION gave it. */
interface Prepared {
  readonly xid: number
  readonly gid: string
}

export interface BeginPrepareMessage extends Prepared {
  readonly _tag: "BeginPrepare"
  readonly prepareLsn: bigint
  readonly endLsn: bigint
  readonly time: bigint
}

/** Ends a prepared transaction, which may have been streamed. */
export interface PrepareMessage extends Prepared {
  readonly _tag: "Prepare" | "StreamPrepare"
  readonly prepareLsn: bigint
  readonly endLsn: bigint
  readonly time: bigint
}

export interface CommitPreparedMessage extends Prepared {
  readonly _tag: "CommitPrepared"
  readonly commitLsn: bigint
  readonly endLsn: bigint
  readonly time: bigint
}

export interface RollbackPreparedMessage extends Prepared {
  readonly _tag: "RollbackPrepared"
  readonly prepareEndLsn: bigint
  readonly rollbackEndLsn: bigint
  readonly prepareTime: bigint
  readonly rollbackTime: bigint
}

export type LogicalMessage =
  | BeginMessage
  | CommitMessage
  | OriginMessage
  | RelationMessage
  | TypeMessage
  | InsertMessage
  | UpdateMessage
  | DeleteMessage
  | TruncateMessage
  | LogicalMessageMessage
  | StreamStartMessage
  | StreamStopMessage
  | StreamCommitMessage
  | StreamAbortMessage
  | BeginPrepareMessage
  | PrepareMessage
  | CommitPreparedMessage
  | RollbackPreparedMessage
