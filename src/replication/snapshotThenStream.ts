/**
 * Copies the published tables, and goes on with the changes since then. No row is missed and none comes twice.
 *
 * While the tables are copied, the changes are kept by a temporary slot, which ends with its connection. Only when the
 * reader has taken the last row does a slot with the real name take its place. So a slot of that name says that the copy
 * is complete, and after a crash in the middle of the copy the next run begins anew.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Row } from "../call/call.ts"
import * as Shape from "../call/shape.ts"
import { pgType } from "../codec/oid.generated.ts"
import { decodeRows } from "../connection/rowSchema.ts"
import * as PgConnection from "../PgConnection.ts"
import * as PgError from "../PgError.ts"
import { connect } from "../session/opening/connect.ts"
import { failoverCommand, openReplication } from "../session/replication/commands.ts"
import { textRows } from "../session/replication/textRows.ts"
import { OWN_TYPES } from "../session/types/typeCatalogue.ts"
import { quoteName, quoteText } from "../wire/sqlText.ts"
import type { AnyTable, Services, Tables, Transaction } from "./change.ts"
import { Consumer } from "./consumer.ts"
import { type Settings, settingsOf, STREAM_OPTIONS, type StreamOptions } from "./options.ts"
import { checkFailover, checkKind, checkPublications, describeServer, slotState } from "./preflight.ts"
import { createSlotIn } from "./slots.ts"
import { transactionsOf } from "./transaction.ts"

/**
 * The options of `snapshotThenStream`.
 *
 * @category options
 * @since 0.1.0
 */
export interface SnapshotOptions<T extends Tables = AnyTable> extends Omit<StreamOptions<T>, "temporary" | "after"> {
  /**
   * Whether standbys keep a copy of the slot, as in `createSlot`.
   *
   * @default false
   */
  readonly failover?: boolean | undefined
}

/**
 * The copy of the tables begins. A reader that has an older copy, or a part of one, drops it now.
 *
 * @category models
 * @since 0.1.0
 */
export interface SnapshotBegun {
  readonly _tag: "SnapshotBegun"
  /** The tables show the database as it was at this position. */
  readonly lsn: string
  /** The names of the tables, with their schemas in front. */
  readonly tables: ReadonlyArray<string>
}

/**
 * Rows of a table, as they were when the copy began.
 *
 * @category models
 * @since 0.1.0
 */
export interface SnapshotRows<Table extends string = string, A = Row> {
  readonly _tag: "SnapshotRows"
  readonly table: Table
  readonly rows: ReadonlyArray<A>
}

/**
 * All rows were copied. Transactions follow.
 *
 * @category models
 * @since 0.1.0
 */
export interface SnapshotEnded {
  readonly _tag: "SnapshotEnded"
  readonly lsn: string
}

/**
 * What `snapshotThenStream` brings.
 *
 * @category models
 * @since 0.1.0
 */
export type SnapshotEvent<T extends Tables = AnyTable> =
  | SnapshotBegun
  | { [Table in keyof T & string]: SnapshotRows<Table, T[Table]["Type"]> }[keyof T & string]
  | SnapshotEnded
  | Transaction<T>

type Events<T extends Tables> = Stream.Stream<SnapshotEvent<T>, PgError.PgError, Services<T>>

export const snapshotThenStream = <T extends Tables>(options: SnapshotOptions<T>): Events<T> => {
  const known = Shape.read(options, "options", { ...STREAM_OPTIONS, failover: Shape.flag })
  if (PgError.isPgError(known)) return Stream.fail(known)
  const { failover = false, ...rest } = known
  return Stream.unwrap(
    Effect.gen(function* () {
      const settings = yield* settingsOf<T>(rest)
      const slot = yield* Effect.scoped(
        Effect.flatMap(connect(settings.config), (session) =>
          Effect.gen(function* () {
            yield* describeServer(session)
            if (failover) yield* checkFailover(session)
            yield* checkPublications(session, settings)
            return yield* slotState(session, settings.slot)
          })
        )
      )
      const changes: Events<T> = Stream.unwrap(
        Effect.map(Consumer.make(settings), (consumer) => transactionsOf(consumer, rest.tables))
      )
      if (slot === undefined) return Stream.concat(copied<T>(rest, settings, failover), changes)
      // The run that has made the copy may have ended before it came to that. A slot that cannot be read fails below.
      const isReadable = slot.invalidation === undefined && (settings.waitForSlot || !slot.isActive)
      if (failover && !slot.survivesFailover && isReadable) {
        yield* checkKind(slot, settings.config.database)
        yield* makeFailover(settings)
      }
      return changes
    })
  )
}

/** How the name of the temporary slot differs. */
const SUFFIX = "_copy"
const MAX_SLOT_NAME = 63

const copied = <T extends Tables>(options: StreamOptions<T>, settings: Settings, failover: boolean): Events<T> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { slot } = settings
      if (slot.length + SUFFIX.length > MAX_SLOT_NAME) {
        const reason = `must be at most ${MAX_SLOT_NAME - SUFFIX.length} characters long, because the copy has a slot of its own`
        return yield* new PgError.InvalidConfigError({ setting: "slot", reason })
      }
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
      const temporary = `${slot}${SUFFIX}`
      const { consistentPoint: lsn, snapshot } = yield* Scope.provide(
        createSlotIn(settings.config, { name: temporary, temporary: true, failover: false }),
        scope
      )
      const pg = yield* Scope.provide(PgConnection.make(options.connection), scope)
      yield* pg.executeScript(
        `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`
      )
      const sources = yield* publishedSources(pg, settings)
      const rows = sources.map((source) => rowsOf<T>(pg, source, options.tables))
      const finish = Effect.gen(function* () {
        yield* pg.executeScript("COMMIT")
        yield* pg.execute("SELECT pg_catalog.pg_copy_logical_replication_slot($1, $2, false)", [temporary, slot])
        yield* Scope.close(scope, Exit.void)
        if (failover) yield* makeFailover(settings)
      })
      const begun: SnapshotBegun = { _tag: "SnapshotBegun", lsn, tables: sources.map(({ table }) => table) }
      const over: SnapshotEnded = { _tag: "SnapshotEnded", lsn }
      const parts: ReadonlyArray<Events<T>> = [
        Stream.succeed(begun),
        ...rows,
        Stream.fromEffect(Effect.as(finish, over))
      ]
      return parts.reduce((before, part) => Stream.concat(before, part))
    })
  )

/** Has standbys keep a copy of the slot. The server waits with that until nothing reads from it. */
const makeFailover = ({ config, slot }: Settings): Effect.Effect<unknown, PgError.PgError> =>
  Effect.scoped(Effect.flatMap(openReplication(config), (session) => textRows(session, failoverCommand(slot))))

// ------------------------------------------------------------------------------------------------- tables

interface PublishedTable {
  readonly table: string
  readonly query: string
}

/**
 * A table may be in several publications, with a condition in each. The view has the columns and the condition since
 * version 15.
 */
const PUBLISHED = `SELECT t.schemaname::pg_catalog.text, t.tablename::pg_catalog.text,
  c.relkind OPERATOR(pg_catalog.=) 'r', pg_catalog.min((t.row OPERATOR(pg_catalog.->) 'attnames')::pg_catalog.text),
  CASE WHEN pg_catalog.bool_and(t.filter IS NOT NULL)
    THEN pg_catalog.string_agg(pg_catalog.concat('(', t.filter, ')'), ' OR ') END
FROM (SELECT p.pubname, p.schemaname, p.tablename, pg_catalog.to_jsonb(p) AS row,
    pg_catalog.to_jsonb(p) OPERATOR(pg_catalog.->>) 'rowfilter' AS filter
  FROM pg_catalog.pg_publication_tables AS p) AS t
  JOIN pg_catalog.pg_namespace AS n ON n.nspname OPERATOR(pg_catalog.=) t.schemaname
  JOIN pg_catalog.pg_class AS c ON c.relname OPERATOR(pg_catalog.=) t.tablename AND c.relnamespace OPERATOR(pg_catalog.=) n.oid
WHERE t.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
GROUP BY 1, 2, 3 ORDER BY 1, 2`

const publishedSources = Effect.fnUntraced(function* (
  pg: PgConnection.Queryable,
  { publications, tables }: Settings
): Effect.fn.Return<ReadonlyArray<PublishedTable>, PgError.PgError> {
  const rows = yield* pg.fetchTuples(PUBLISHED, [publications])
  return rows.flatMap(([schema, name, isPlain, columns, filter]) => {
    const table = `${String(schema)}.${String(name)}`
    if (tables !== undefined && !Object.hasOwn(tables, table)) return []
    const list: unknown = typeof columns === "string" ? JSON.parse(columns) : undefined
    const names = Array.isArray(list) ? list.map((column) => quoteName(String(column))).join(", ") : "*"
    const from = `${isPlain === true ? "ONLY " : ""}${quoteName(String(schema))}.${quoteName(String(name))}`
    const where = typeof filter === "string" ? ` WHERE ${filter}` : ""
    return [{ table, query: `SELECT ${names} FROM ${from}${where}` }]
  })
})

const rowsOf = <T extends Tables>(
  pg: PgConnection.Queryable,
  { query, table }: PublishedTable,
  tables: T | undefined
): Events<T> =>
  pg
    .copyOutRows({ query })
    .pipe(
      Stream.mapArrayEffect((rows) =>
        Effect.map(decoded(rows, table, tables), (all): Arr.NonEmptyReadonlyArray<SnapshotEvent<T>> => [
          typed<T>({ _tag: "SnapshotRows", table, rows: all })
        ])
      )
    )

const decoded = <T extends Tables>(
  rows: ReadonlyArray<Row>,
  table: string,
  tables: T | undefined
): Effect.Effect<ReadonlyArray<unknown>, PgError.PgError, Services<T>> => {
  const schema = tables !== undefined && Object.hasOwn(tables, table) ? tables[table] : undefined
  if (schema === undefined) return Effect.succeed(rows)
  const columns = Object.keys(rows[0] ?? {}).map((name) => ({ ...UNKNOWN, name }))
  return decodeRows<unknown, Services<T>>(schema, {
    answer: rows,
    columns,
    types: OWN_TYPES,
    sql: `the copy of ${table}`
  })
}

/** The types of copied columns are not known here, so that an error does not say them. */
const UNKNOWN = {
  tableOid: 0,
  attributeNumber: 0,
  typeOid: pgType.unknown.oid,
  typeSize: -1,
  typeModifier: -1
}

/** The compiler cannot see that the schema of the table has made its rows. */
const typed = <T extends Tables>(event: SnapshotRows<string, unknown>): SnapshotEvent<T> => event as SnapshotEvent<T>
