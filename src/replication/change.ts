/** The models of what a replication stream brings: transactions and the changes that they made. */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Row } from "../call/call.ts"
import type * as PgError from "../PgError.ts"

/**
 * The schemas of tables, by their names with the schema in front: `{ "public.users": User }`.
 *
 * @category models
 * @since 0.1.0
 */
export type Tables = Readonly<Record<string, Schema.ConstraintDecoder<unknown, unknown>>>

/**
 * Any table, each with rows as the codecs of the connection read them. It stands for `Tables` where no schemas are given.
 *
 * @category models
 * @since 0.1.0
 */
export type AnyTable = Readonly<Record<string, Schema.ConstraintDecoder<Row>>>

/** What the schemas of tables need to decode rows. */
export type Services<T extends Tables> = T[keyof T]["DecodingServices"]

/**
 * A column of a published table, as it was when the change was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface RelationColumn {
  readonly name: string
  /** The key of the column in rows: its name, or its name in camel case with `names: "camelCase"`. */
  readonly property: string
  /** Whether it is one of the columns that identify a row. */
  readonly isKey: boolean
  readonly typeOid: number
  readonly typeModifier: number
}

/**
 * A published table, as it was when the change was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** The table's REPLICA IDENTITY: which columns the server sends of an old row. */
  readonly identity: "default" | "nothing" | "full" | "index"
  readonly columns: ReadonlyArray<RelationColumn>
}

/**
 * A row was inserted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Insert<Table extends string = string, A = Row> {
  readonly _tag: "Insert"
  /** The name of the table, with its schema in front: `public.users`. */
  readonly table: Table
  readonly relation: Relation
  readonly row: A
}

/**
 * A row was updated.
 *
 * @category models
 * @since 0.1.0
 */
export interface Update<Table extends string = string, A = Row> {
  readonly _tag: "Update"
  /** The name of the table, with its schema in front: `public.users`. */
  readonly table: Table
  readonly relation: Relation
  /**
   * The new row, without the columns in `unchanged`. A schema for it has to make those columns optional
   * (`Schema.optionalKey`) that can hold large values.
   */
  readonly row: A
  /** What identified the row before the update, by property. It is empty if nothing identifies the rows of the table. */
  readonly key: Row
  /** The row before the update, if the table has `REPLICA IDENTITY FULL`. */
  readonly old: A | undefined
  /**
   * The properties of columns whose large values were not changed and are therefore not sent. Those of the key are never
   * missing. With `REPLICA IDENTITY FULL`, all are taken from the old row.
   */
  readonly unchanged: ReadonlyArray<string>
}

/**
 * A row was deleted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delete<Table extends string = string, A = Row> {
  readonly _tag: "Delete"
  /** The name of the table, with its schema in front: `public.users`. */
  readonly table: Table
  readonly relation: Relation
  /** What identified the row, by property. */
  readonly key: Row
  /** The row that was deleted, if the table has `REPLICA IDENTITY FULL`. */
  readonly old: A | undefined
}

/**
 * Tables were truncated.
 *
 * @category models
 * @since 0.1.0
 */
export interface Truncate<Table extends string = string> {
  readonly _tag: "Truncate"
  /** The names of the tables, with their schemas in front. */
  readonly tables: ReadonlyArray<Table>
  readonly relations: ReadonlyArray<Relation>
  readonly cascade: boolean
  readonly restartIdentity: boolean
}

/**
 * A message that a program wrote to the log with `pg_logical_emit_message`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  readonly _tag: "Message"
  readonly prefix: string
  readonly content: Uint8Array
  /** Whether it belongs to the transaction. One that does not comes alone, in a `Transaction` without an `xid`. */
  readonly isTransactional: boolean
  readonly lsn: string
}

/**
 * What a transaction did to one row, or one of the other changes.
 *
 * @category models
 * @since 0.1.0
 */
export type Change<T extends Tables = AnyTable> =
  | {
      [Table in keyof T & string]:
        | Insert<Table, T[Table]["Type"]>
        | Update<Table, T[Table]["Type"]>
        | Delete<Table, T[Table]["Type"]>
    }[keyof T & string]
  | Truncate<keyof T & string>
  | Message

/**
 * A committed transaction. Positions in the server's log are texts such as `16/B374D848`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Transaction<T extends Tables = AnyTable> {
  readonly _tag: "Transaction"
  /** The server's ID of the transaction; undefined for a message that belongs to none. */
  readonly xid: number | undefined
  /** The position of the commit. It identifies the transaction, and grows from one transaction to the next. */
  readonly commitLsn: string
  /** When it was committed; of a message that belongs to no transaction, when the server has sent it. */
  readonly commitTime: Date
  /**
   * The changes, in the order in which they were made. A large transaction is read while it is streamed, so read it
   * before you take the next transaction; what is not read by then cannot be read any more, and the stream fails with
   * `UnsupportedError`. A transaction of up to 1,000 changes and 1 MiB can be read at any time, and again.
   */
  readonly changes: Stream.Stream<Change<T>, PgError.PgError, Services<T>>
  /** All changes at once. A large transaction then has to fit in memory. */
  readonly allChanges: Effect.Effect<ReadonlyArray<Change<T>>, PgError.PgError, Services<T>>
  /**
   * The position behind the commit. It is known once the whole transaction has come; changes of a large transaction that
   * were not read until then are dropped.
   */
  readonly endLsn: Effect.Effect<string, PgError.PgError>
  /**
   * Says that the work is done, so that the server need not send this transaction again. Transactions can be acknowledged
   * in any order: the server learns of one as soon as all before it are acknowledged, too.
   */
  readonly acknowledge: Effect.Effect<void>
}
