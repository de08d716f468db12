/** Opens replication sessions, and makes the texts of the commands that they understand. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ResolvedConfig } from "../../PgConfig.ts"
import type * as PgError from "../../PgError.ts"
import { serverVersionOf } from "../../wire/serverVersion.ts"
import { quoteName, quoteText } from "../../wire/sqlText.ts"
import type { Session } from "../engine/session.ts"
import { connect } from "../opening/connect.ts"

/** Texts of values are read in these styles, whatever the database has set. */
const TEXT_STYLES = [
  ["DateStyle", "ISO"],
  ["IntervalStyle", "postgres"],
  ["bytea_output", "hex"],
  ["extra_float_digits", "1"]
] as const

/**
 * Opens a session for logical replication, which lives as long as the scope. It takes replication commands by the simple
 * protocol. It could also take SQL, but should not: PostgreSQL 18 decodes changes with what queries have left in the
 * caches of the process, and may then miss a type that was made since ("cache lookup failed for type").
 */
export const openReplication = (config: ResolvedConfig): Effect.Effect<Session, PgError.PgError, Scope.Scope> =>
  connect({
    ...config,
    startupParameters: new Map([...config.startupParameters, ...TEXT_STYLES, ["replication", "database"]])
  })

/** The grammar of replication commands has no escapes in its strings. */
const quoteOption = (text: string): string => `'${text.replaceAll("'", "''")}'`

export interface SlotOptions {
  readonly name: string
  readonly temporary: boolean
  readonly failover: boolean
  readonly snapshot: "export" | "nothing"
}

const OPTIONS_IN_PARENTHESES_SINCE = 15

/** Answers with slot_name, consistent_point, snapshot_name and output_plugin. */
export const createSlotCommand = (session: Session, { failover, name, snapshot, temporary }: SlotOptions): string => {
  const command = `CREATE_REPLICATION_SLOT ${quoteName(name)}${temporary ? " TEMPORARY" : ""} LOGICAL pgoutput`
  if (serverVersionOf(session.parameters).major < OPTIONS_IN_PARENTHESES_SINCE) {
    return `${command} ${{ export: "EXPORT_SNAPSHOT", nothing: "NOEXPORT_SNAPSHOT" }[snapshot]}`
  }
  return `${command} (SNAPSHOT '${snapshot}'${failover ? ", FAILOVER true" : ""})`
}

export const failoverCommand = (name: string): string => `ALTER_REPLICATION_SLOT ${quoteName(name)} (FAILOVER true)`

/** Waits until nothing reads from the slot. */
export const dropSlotCommand = (name: string): string => `DROP_REPLICATION_SLOT ${quoteName(name)} WAIT`

export interface StartOptions {
  readonly slot: string
  readonly publications: ReadonlyArray<string>
  readonly messages: boolean
  /** Whether values come in their binary form, as far as their types have one. */
  readonly isBinary: boolean
  /** Only changes that have no other origin. It exists since version 16. */
  readonly localOnly: boolean
  readonly from: string
}

export const startCommand = ({ from, isBinary, localOnly, messages, publications, slot }: StartOptions): string => {
  const options = [
    "proto_version '1'",
    `publication_names ${quoteOption(publications.map(quoteName).join(","))}`,
    ...(isBinary ? ["binary 'true'"] : []),
    ...(messages ? ["messages 'true'"] : []),
    ...(localOnly ? ["origin 'none'"] : [])
  ]
  return `START_REPLICATION SLOT ${quoteName(slot)} LOGICAL ${from} (${options.join(", ")})`
}

/** One row with what the server knows of the slot, or no row. The last two columns exist since version 17. */
export const slotQuery = (name: string): string =>
  `SELECT s.slot_name, s.plugin, s.slot_type, s.database, s.active, s.confirmed_flush_lsn, s.wal_status,
  pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->>) 'invalidation_reason' AS invalidation_reason,
  pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->>) 'failover' AS failover
FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name OPERATOR(pg_catalog.=) ${quoteText(name)}`

/** One row with what matters of the server: its settings, which cluster it belongs to, and how far its log goes. */
export const SERVER_QUERY = `SELECT pg_catalog.current_setting('wal_level') AS wal_level,
  (SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) 'wal_sender_timeout') AS timeout,
  (SELECT c.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() AS c) AS system,
  (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
    ELSE pg_catalog.pg_current_wal_lsn() END)::pg_catalog.text AS position`

/** One row with the transactions that others do not see yet, in the form of `pg_snapshot`. */
export const SNAPSHOT_QUERY = "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text AS snapshot"
