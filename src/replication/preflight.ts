/**
 * Checks what a replication stream needs on the server, and says which statements set it up. A stream checks everything
 * when it begins, and its slot again after each reconnection.
 */
import * as Effect from "effect/Effect"
import { formatLsn, lsnOf } from "../call/lsn.ts"
import * as PgError from "../PgError.ts"
import type { Session } from "../session/engine/session.ts"
import { SERVER_QUERY, slotQuery } from "../session/replication/commands.ts"
import { type TextRow, textRows } from "../session/replication/textRows.ts"
import { serverVersionOf } from "../wire/serverVersion.ts"
import { quoteName, quoteText } from "../wire/sqlText.ts"
import type { Settings } from "./options.ts"

/** Since then the server sends values in their binary form. */
const MIN_MAJOR = 14
const ORIGINS_SINCE = 16

/** What a server says of itself. */
export interface Server {
  readonly systemId: string
  /** How far its log goes. */
  readonly position: bigint
  readonly walSenderTimeoutMillis: number
}

export const describeServer = Effect.fnUntraced(function* (
  session: Session
): Effect.fn.Return<Server, PgError.PgError> {
  const { major, text } = serverVersionOf(session.parameters)
  if (major < MIN_MAJOR) {
    return yield* new PgError.ReplicationSetupError({
      problem: "version",
      reason: `the server is PostgreSQL ${text}`,
      hint: `Use PostgreSQL ${MIN_MAJOR} or later.`
    })
  }
  const [server] = yield* textRows(session, SERVER_QUERY)
  const level = server?.["wal_level"]
  if (level !== "logical") {
    return yield* new PgError.ReplicationSetupError({
      problem: "walLevel",
      reason: `the server's wal_level is ${level}, not logical`,
      hint: "Run ALTER SYSTEM SET wal_level = 'logical' and restart the server. (Cloud services have a setting for it.)"
    })
  }
  return {
    systemId: server?.["system"] ?? "",
    position: lsnOf(server?.["position"]) ?? 0n,
    walSenderTimeoutMillis: Number(server?.["timeout"] ?? 0)
  }
})

// ------------------------------------------------------------------------------------------------- the slot

/** What the server knows of a slot. */
export interface SlotState {
  readonly name: string
  readonly plugin: string | null
  readonly isLogical: boolean
  readonly database: string | null
  /** Whether something reads from it. */
  readonly isActive: boolean
  /** Up to where everything is acknowledged. */
  readonly confirmed: bigint
  /** Why the server has given it up; undefined if it has not. */
  readonly invalidation: string | undefined
  /** Whether it keeps more of the log than the server allows, so that the next checkpoint gives it up. */
  readonly isEndangered: boolean
  /** Whether standbys keep a copy of it. */
  readonly survivesFailover: boolean
}

/** The state of a slot; undefined if there is none. */
export const slotState = (session: Session, name: string): Effect.Effect<SlotState | undefined, PgError.PgError> =>
  Effect.map(
    textRows(session, slotQuery(name)),
    ([row]) =>
      row && {
        name,
        plugin: row["plugin"] ?? null,
        isLogical: row["slot_type"] === "logical",
        database: row["database"] ?? null,
        isActive: row["active"] === "t",
        confirmed: lsnOf(row["confirmed_flush_lsn"]) ?? 0n,
        invalidation: invalidation(row),
        isEndangered: row["wal_status"] === "unreserved" || row["wal_status"] === "lost",
        survivesFailover: row["failover"] === "true"
      }
  )

const invalidation = ({ invalidation_reason: reason, wal_status: status }: TextRow): string | undefined => {
  if (typeof reason === "string") return `the server has invalidated it (${reason})`
  return status === "lost" ? "the server has removed the part of the log that it needs" : undefined
}

const FAILOVER_SINCE = 17

/** Fails if no slot of the server survives a failover. */
export const checkFailover = (session: Session): Effect.Effect<void, PgError.PgError> => {
  const { major, text } = serverVersionOf(session.parameters)
  return major >= FAILOVER_SINCE
    ? Effect.void
    : Effect.fail(
        new PgError.ReplicationSetupError({
          problem: "version",
          reason: `a slot that survives a failover needs PostgreSQL ${FAILOVER_SINCE}, and the server is ${text}`,
          hint: "Leave failover out."
        })
      )
}

/** Fails if a slot is none that pgoutput can be read from in this database. */
export const checkKind = (
  { database, isLogical, name, plugin }: SlotState,
  wanted: string
): Effect.Effect<void, PgError.PgError> => {
  const found = !isLogical
    ? "is for physical replication"
    : plugin !== "pgoutput"
      ? `uses the plugin ${plugin}, not pgoutput`
      : database !== wanted
        ? `belongs to the database ${database}`
        : undefined
  return found === undefined
    ? Effect.void
    : Effect.fail(
        new PgError.ReplicationSetupError({
          problem: "slot",
          reason: `the replication slot "${name}" ${found}`,
          hint: "Use another name, and make the slot with PgReplication.createSlot."
        })
      )
}

export const noSlot = (name: string): PgError.ReplicationSetupError =>
  new PgError.ReplicationSetupError({
    problem: "slot",
    reason: `there is no replication slot "${name}"`,
    hint:
      `Make it with PgReplication.createSlot, or run SELECT pg_create_logical_replication_slot(${quoteText(name)}, 'pgoutput'). ` +
      "It holds the changes from then on."
  })

export const slotLost = (
  slot: string,
  loss: PgError.SlotLoss,
  reason: string,
  lastAcknowledged: bigint | undefined
): PgError.ReplicationSlotLostError =>
  new PgError.ReplicationSlotLostError({
    slot,
    loss,
    reason,
    lastAcknowledged: lastAcknowledged === undefined ? undefined : formatLsn(lastAcknowledged),
    hint: HINTS[loss]
  })

const ANEW =
  "Drop the slot and make a new one. What was changed in between has to be copied: PgReplication.snapshotThenStream does both."

const HINTS: Readonly<Record<PgError.SlotLoss, string>> = {
  missing: `${ANEW} A slot survives a failover only if it was made with failover: true (PostgreSQL 17).`,
  invalidated: `${ANEW} See max_slot_wal_keep_size and idle_replication_slot_timeout.`,
  advanced: "Let only one program read from a slot. What it has skipped has to be copied.",
  diverged: `${ANEW} With synchronized_standby_slots, a failover slot sends nothing that the standby does not have.`,
  otherServer: "Check the hosts: all of them have to belong to one database cluster."
}

// ------------------------------------------------------------------------------------------------- publications

/** Checks the publications, their tables, and what identifies the rows of these. */
export const checkPublications = Effect.fnUntraced(function* (
  session: Session,
  settings: Settings
): Effect.fn.Return<void, PgError.PgError> {
  const { localOnly, publications, requireReplicaIdentity } = settings
  const wanted = arrayOf(publications)
  const there = yield* textRows(
    session,
    `SELECT p.pubname FROM pg_catalog.pg_publication AS p WHERE p.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (${wanted})`
  )
  const missing = publications.filter((name) => !there.some(({ pubname }) => pubname === name))
  if (missing.length > 0) return yield* noPublication(missing, settings)
  const published = yield* textRows(session, publishedTables(wanted))
  const names = new Set(published.map(nameOf))
  const unpublished = Object.keys(settings.tables ?? {}).filter((table) => !names.has(table))
  if (unpublished.length > 0) return yield* notPublished(unpublished, publications[0] ?? "")
  if (requireReplicaIdentity) {
    const isWanted = (table: string): boolean => settings.tables === undefined || Object.hasOwn(settings.tables, table)
    const without = published.filter((row) => row["unidentified"] === "t" && isWanted(nameOf(row)))
    if (without.length > 0) return yield* noIdentity([...new Set(without.map(nameOf))])
  }
  const { major, text } = serverVersionOf(session.parameters)
  if (localOnly && major < ORIGINS_SINCE) {
    return yield* new PgError.ReplicationSetupError({
      problem: "version",
      reason: `localOnly needs PostgreSQL ${ORIGINS_SINCE}, and the server is ${text}`,
      hint: "Leave localOnly out."
    })
  }
})

const nameOf = (row: Readonly<Record<string, string | null>>): string => `${row["schema"]}.${row["name"]}`

const arrayOf = (names: ReadonlyArray<string>): string => `ARRAY[${names.map(quoteText).join(", ")}]::pg_catalog.text[]`

/** The published tables, and whether an UPDATE or DELETE of theirs would fail because nothing identifies their rows. */
const publishedTables = (publications: string): string => `SELECT t.schemaname AS schema, t.tablename AS name,
  ((p.pubupdate OR p.pubdelete) AND c.relkind OPERATOR(pg_catalog.=) 'r' AND CASE c.relreplident
    WHEN 'f' THEN false
    WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisprimary)
    WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisreplident)
    ELSE true END) AS unidentified
FROM pg_catalog.pg_publication_tables AS t
  JOIN pg_catalog.pg_publication AS p ON p.pubname OPERATOR(pg_catalog.=) t.pubname
  JOIN pg_catalog.pg_namespace AS n ON n.nspname OPERATOR(pg_catalog.=) t.schemaname
  JOIN pg_catalog.pg_class AS c ON c.relname OPERATOR(pg_catalog.=) t.tablename AND c.relnamespace OPERATOR(pg_catalog.=) n.oid
WHERE t.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (${publications})
ORDER BY 1, 2`

/** The SQL for a name such as `public.users`. A schema has no dot in its name, or else the name is ambiguous. */
export const quoteTable = (table: string): string => {
  const dot = table.indexOf(".")
  return dot < 0 ? quoteName(table) : `${quoteName(table.slice(0, dot))}.${quoteName(table.slice(dot + 1))}`
}

const noPublication = (missing: ReadonlyArray<string>, { tables }: Settings): PgError.ReplicationSetupError => {
  const names = tables === undefined ? [] : Object.keys(tables)
  const what = names.length === 0 ? "FOR ALL TABLES" : `FOR TABLE ${names.map(quoteTable).join(", ")}`
  return new PgError.ReplicationSetupError({
    problem: "publication",
    reason: `there is no publication ${missing.map((name) => `"${name}"`).join(", ")}`,
    hint: `Run: ${missing.map((name) => `CREATE PUBLICATION ${quoteName(name)} ${what};`).join(" ")}`
  })
}

const notPublished = (tables: ReadonlyArray<string>, publication: string): PgError.ReplicationSetupError =>
  new PgError.ReplicationSetupError({
    problem: "table",
    reason: `no publication of the stream has the table ${tables.join(", ")}`,
    hint: `Run: ALTER PUBLICATION ${quoteName(publication)} ADD TABLE ${tables.map(quoteTable).join(", ")};`
  })

const noIdentity = (tables: ReadonlyArray<string>): PgError.ReplicationSetupError =>
  new PgError.ReplicationSetupError({
    problem: "replicaIdentity",
    reason: `nothing identifies the rows of ${tables.join(", ")}, so that every UPDATE and DELETE of them fails`,
    hint:
      "Give the table a primary key, or run: " +
      `${tables.map((table) => `ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY FULL;`).join(" ")} ` +
      "If rows are only ever inserted, set requireReplicaIdentity: false."
  })
