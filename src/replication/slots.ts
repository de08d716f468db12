/** Makes, drops and lists replication slots. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Queryable } from "../connection/queryable/queryable.ts"
import * as PgConfig from "../PgConfig.ts"
import * as PgError from "../PgError.ts"
import * as Shape from "../call/shape.ts"
import { connect } from "../session/opening/connect.ts"
import { createSlotCommand, dropSlotCommand, openReplication } from "../session/replication/commands.ts"
import { textRows } from "../session/replication/textRows.ts"
import { quoteText } from "../wire/sqlText.ts"
import { checkSlotName } from "./options.ts"
import { checkFailover, describeServer } from "./preflight.ts"

/**
 * The options of `createSlot`.
 *
 * @category options
 * @since 0.1.0
 */
export interface CreateSlotOptions {
  readonly slot: string
  /**
   * Whether standbys keep a copy of the slot, so that it is still there after a failover. It needs PostgreSQL 17 and
   * `sync_replication_slots` on the standbys.
   *
   * @default false
   */
  readonly failover?: boolean | undefined
}

/**
 * A slot that was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface CreatedSlot {
  readonly slot: string
  /** Changes after this position are in the slot. */
  readonly consistentPoint: string
  /**
   * The snapshot that shows the database as it was at `consistentPoint`. It can be imported until the scope closes: see
   * `withSnapshot`.
   */
  readonly snapshot: string
}

const CREATE_OPTIONS: Shape.Kinds = { slot: Shape.text, failover: Shape.flag }

/** Makes a slot, and keeps its snapshot until the scope closes. */
export const createSlot = Effect.fnUntraced(function* (
  connection: PgConfig.Settings,
  options: CreateSlotOptions
): Effect.fn.Return<CreatedSlot, PgError.PgError, Scope.Scope> {
  const known = Shape.read(options, "options", CREATE_OPTIONS)
  if (PgError.isPgError(known)) return yield* known
  const { failover = false, slot } = known
  const fault = checkSlotName(slot)
  if (fault !== undefined) return yield* fault
  const config = yield* PgConfig.resolve(connection)
  yield* Effect.scoped(
    Effect.flatMap(connect(config), (session) =>
      Effect.andThen(describeServer(session), failover ? checkFailover(session) : Effect.void)
    )
  )
  return yield* createSlotIn(config, { name: slot, temporary: false, failover })
})

/** Written out here, because the declarations of `session` need the types of Node.js. */
interface NewSlot {
  readonly name: string
  readonly temporary: boolean
  readonly failover: boolean
}

/** Makes a slot on a server that was checked. */
export const createSlotIn = Effect.fnUntraced(function* (
  config: PgConfig.ResolvedConfig,
  { failover, name, temporary }: NewSlot
): Effect.fn.Return<CreatedSlot, PgError.PgError, Scope.Scope> {
  const session = yield* openReplication(config)
  const [row] = yield* textRows(session, createSlotCommand(session, { name, temporary, failover, snapshot: "export" }))
  return { slot: name, consistentPoint: row?.["consistent_point"] ?? "", snapshot: row?.["snapshot_name"] ?? "" }
})

/** Drops a slot. If something reads from it, waits until that has ended. */
export const dropSlot = Effect.fnUntraced(function* (
  connection: PgConfig.Settings,
  slot: string
): Effect.fn.Return<void, PgError.PgError> {
  const fault = checkSlotName(slot)
  if (fault !== undefined) return yield* fault
  const config = yield* PgConfig.resolve(connection)
  yield* Effect.scoped(Effect.flatMap(openReplication(config), (session) => textRows(session, dropSlotCommand(slot))))
})

/**
 * A replication slot of the server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Slot {
  readonly slot: string
  /** Undefined for a slot of physical replication. */
  readonly plugin: string | undefined
  readonly database: string | undefined
  readonly temporary: boolean
  /** Whether something reads from it. */
  readonly active: boolean
  /** The server process that reads from it. */
  readonly processId: number | undefined
  /** Up to where everything is acknowledged. */
  readonly confirmedLsn: string | undefined
  /** How much of the log was written since then, in bytes. */
  readonly lagBytes: bigint | undefined
  /** How much of the log the server keeps for it, in bytes. */
  readonly retainedBytes: bigint | undefined
  /** `reserved`, `extended`, `unreserved` or `lost`: whether the log that it needs is still there. */
  readonly walStatus: string | undefined
  /** How much may still be written before the server gives it up, in bytes; undefined if there is no limit. */
  readonly safeBytes: bigint | undefined
}

const SLOTS = `SELECT s.slot_name::pg_catalog.text, s.plugin::pg_catalog.text, s.database::pg_catalog.text, s.temporary, s.active,
  s.active_pid, s.confirmed_flush_lsn::pg_catalog.text,
  pg_catalog.pg_wal_lsn_diff(now.lsn, s.confirmed_flush_lsn)::pg_catalog.int8,
  pg_catalog.pg_wal_lsn_diff(now.lsn, s.restart_lsn)::pg_catalog.int8, s.wal_status, s.safe_wal_size
FROM pg_catalog.pg_replication_slots AS s CROSS JOIN (
  SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
    ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
) AS now
ORDER BY s.slot_name`

/** Lists the slots. */
export const slots = (queryable: Queryable): Effect.Effect<ReadonlyArray<Slot>, PgError.PgError> =>
  Shape.unless(Shape.faultOf("queryable", queryable, Shape.queryable), () =>
    Effect.map(queryable.fetchTuples(SLOTS), (rows) =>
      rows.map((row) => {
        const [slot, plugin, database, temporary, active, pid, confirmed, lag, retained, status, safe] = row
        return {
          slot: String(slot),
          plugin: textOf(plugin),
          database: textOf(database),
          temporary: temporary === true,
          active: active === true,
          processId: typeof pid === "number" ? pid : undefined,
          confirmedLsn: textOf(confirmed),
          lagBytes: bytesOf(lag),
          retainedBytes: bytesOf(retained),
          walStatus: textOf(status),
          safeBytes: bytesOf(safe)
        }
      })
    )
  )

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** With a codec of the user, int8 may be a number. */
const bytesOf = (value: unknown): bigint | undefined =>
  typeof value === "bigint" || typeof value === "number" ? BigInt(value) : undefined

/** Runs an effect in a transaction that sees the database as it was when a slot was made. */
export const withSnapshot = <A, E, R>(
  queryable: Queryable,
  snapshot: string,
  use: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PgError.PgError, R> =>
  Shape.unless(
    Shape.faultOf("queryable", queryable, Shape.queryable) ??
      Shape.faultOf("snapshot", snapshot, Shape.text) ??
      Shape.faultOf("use", use, Shape.effect),
    () =>
      queryable.withTransaction(
        Effect.andThen(queryable.execute(`SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`), use),
        { isolation: "repeatable read", access: "read only" }
      )
  )
