/** Examines what the server says of itself: its role, and the settings that people get wrong. */
import * as Effect from "effect/Effect"
import type { ResolvedConfig } from "../../PgConfig.ts"
import type * as PgError from "../../PgError.ts"
import type { Session } from "../../session/engine/session.ts"
import { ownTupleRows, send } from "../../session/request/request.ts"
import { type Finding, ok, warning } from "./finding.ts"

/** What is read of the server, as texts. */
type Facts = ReadonlyMap<string, string>

const FACTS = `SELECT name::pg_catalog.text, setting FROM pg_catalog.pg_settings
UNION ALL SELECT 'role', CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'standby' ELSE 'primary' END
UNION ALL SELECT 'lag', pg_catalog.date_part('epoch', pg_catalog.now() OPERATOR(pg_catalog.-)
  pg_catalog.pg_last_xact_replay_timestamp())::pg_catalog.int8::pg_catalog.text WHERE pg_catalog.pg_is_in_recovery()
UNION ALL SELECT 'encoding', pg_catalog.getdatabaseencoding()::pg_catalog.text
UNION ALL SELECT 'connections', pg_catalog.sum(numbackends)::pg_catalog.text FROM pg_catalog.pg_stat_database`

export const examineServer = (
  session: Session,
  config: ResolvedConfig
): Effect.Effect<ReadonlyArray<Finding>, PgError.PgError> =>
  Effect.map(send(session, ownTupleRows(FACTS)), (rows) => {
    const facts = new Map(rows.flatMap(([name, value]) => (value === null ? [] : [[String(name), String(value)]])))
    return [role(facts, config), ...settings(facts), connections(facts)]
  })

const role = (facts: Facts, { targetSessionAttrs }: ResolvedConfig): Finding => {
  if (facts.get("role") !== "standby") return ok("role", "primary, which takes reads and writes")
  const lag = facts.get("lag")
  const behind = lag === undefined ? "" : `, whose last transaction is ${lag} s old`
  const isWanted = targetSessionAttrs !== "any"
  const message = `standby, which takes only reads${behind}`
  return isWanted
    ? ok("role", message)
    : warning("role", message, "To write, list the primary too, and set targetSessionAttrs=read-write.")
}

/** What a setting may not be, and why. */
interface Trap {
  readonly name: string
  readonly isTrap: (value: string) => boolean
  readonly why: string
  readonly hint: string
}

const isOff = (value: string): boolean => value === "off"
const isOn = (value: string): boolean => value === "on"

const TRAPS: ReadonlyArray<Trap> = [
  {
    name: "fsync",
    isTrap: isOff,
    why: "a crash of the machine destroys the database",
    hint: "Set fsync = on, unless the data can be thrown away."
  },
  {
    name: "full_page_writes",
    isTrap: isOff,
    why: "a crash of the machine can destroy the database",
    hint: "Set full_page_writes = on, unless the data can be thrown away."
  },
  {
    name: "synchronous_commit",
    isTrap: isOff,
    why: "a crash loses the last transactions, although they were committed",
    hint: "Set synchronous_commit = on, or leave it off only for what may be lost."
  },
  {
    name: "default_transaction_read_only",
    isTrap: isOn,
    why: "every write fails",
    hint: "Unset it for the role, the database or the server."
  },
  {
    name: "standard_conforming_strings",
    isTrap: isOff,
    why: "backslashes in strings mean something else than SQL says",
    hint: "Set standard_conforming_strings = on."
  },
  {
    name: "password_encryption",
    isTrap: (value) => value === "md5",
    why: "new passwords are stored as MD5, which is broken",
    hint: "Set password_encryption = 'scram-sha-256', and set the passwords again."
  },
  {
    name: "encoding",
    isTrap: (value) => value === "SQL_ASCII",
    why: "the server checks and converts no text",
    hint: "Make a database with ENCODING 'UTF8', and move the data."
  },
  {
    name: "autovacuum",
    isTrap: isOff,
    why: "tables bloat, and the server stops when its transaction IDs run out",
    hint: "Set autovacuum = on."
  }
]

const settings = (facts: Facts): ReadonlyArray<Finding> => {
  const found = TRAPS.filter(({ isTrap, name }) => isTrap(facts.get(name) ?? ""))
  if (found.length === 0) return [ok("settings", `${TRAPS.map(({ name }) => name).join(", ")} are as they should be`)]
  return found.map(({ hint, name, why }) => warning("settings", `${name} is ${facts.get(name)}: ${why}`, hint))
}

/** Beyond this part of `max_connections`, a peak is refused. */
const FULL = 0.8

const connections = (facts: Facts): Finding => {
  const [used, max] = [Number(facts.get("connections")), Number(facts.get("max_connections"))]
  const message = `${used} of ${max} connections are in use`
  return used > max * FULL
    ? warning(
        "connections",
        message,
        "Use fewer and smaller pools, put a pooler before the server, or raise max_connections."
      )
    : ok("connections", message)
}
