/**
 * The statements that remove what a borrower may have left on a session: session authorization and role, settings,
 * cursors that outlive their transaction, LISTEN, advisory locks, temporary objects, sequence caches. After them the
 * session is as its startup left it. Every name in them is qualified, so that it means the same on any search_path.
 */
import * as Exit from "effect/Exit"
import { ByteWriter } from "../../wire/byteWriter.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { writeCommand, writeQuery } from "../../wire/frontendEncoder.ts"
import type { Control } from "./controlQuery.ts"
import { Backend, TransactionStatus } from "../../wire/backendMessage.ts"
import { quoteName } from "../../wire/sqlText.ts"
import { SimpleQuery } from "../exchange/simpleQuery.ts"
import type { Request } from "../request/request.ts"
import { servedBy } from "../engine/asking/lostName.ts"
import type { Session } from "../engine/session.ts"

const BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

const UNDO = [
  "SET SESSION AUTHORIZATION DEFAULT",
  // This also brings back a role that the server sets at each login.
  "RESET ROLE",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "DISCARD TEMP",
  "DISCARD SEQUENCES"
]

const UNLOCK = "SELECT pg_catalog.pg_advisory_unlock_all()"

/**
 * Returns the script of the reset, with further statements. It runs in a transaction with modes of its own, because
 * with the modes that a user has left, its first snapshot might wait for other transactions. `restoring` are
 * expressions that set what RESET ALL loses behind a pooler.
 */
const resetAnd = (statements: ReadonlyArray<string>, restoring: ReadonlyArray<string>): string =>
  within([...UNDO, [UNLOCK, ...restoring].join(", "), ...statements])

const within = (statements: ReadonlyArray<string>): string => [BEGIN, ...statements, "COMMIT"].join("; ")

/**
 * Resets a session, but keeps its listeners. UNLISTEN and LISTEN in one transaction leave no gap. The channels are read
 * when the request is sent. The answer is false if the reset has lost settings of the startup, which the next one sets
 * again.
 */
export const resetKeepingListeners: Request<boolean> = {
  sql: resetAnd([], []),
  params: undefined,
  exchange: (session, resume) => {
    const isIdle = session.transactionStatus === TransactionStatus.idle
    const listen = session.channels.names.map((channel) => `LISTEN ${quoteName(channel)}`)
    const script = resetAnd(listen, restoring(session))
    return new SimpleQuery(session, isIdle ? script : `ROLLBACK; ${script}`, (exit) =>
      resume(Exit.map(exit, () => !hasLostSettings(session)))
    )
  }
}

/** What has to be set after RESET ALL, which on the server itself is nothing. */
const restoring = ({ residue, statements }: Session): ReadonlyArray<string> =>
  statements.pooler.losesSettings ? (residue.startup?.restoring ?? []) : []

/** Whether a reset has taken settings of the startup away, as only a pooler lets it do. */
export const hasLostSettings = ({ parameters, residue, statements }: Session): boolean => {
  if (residue.startup?.areLost(parameters) !== true) return false
  statements.pooler.losesSettings = true
  return true
}

/**
 * The reset between two borrowers. It also seeds `random()` anew, because a borrower may have chosen a seed. With
 * `countsPrepared` it counts the statements that were prepared in SQL, which doubles its time. The first one also asks
 * which server process it runs on, and so does each one behind a pooler.
 */
export const resetBetweenBorrowers = (session: Session, countsPrepared: boolean): Control => {
  const { residue, statements } = session
  const counting = countsPrepared ? [COUNT] : []
  const restored = restoring(session)
  if (restored.length > 0) return reseeding([PROCESS, ...restored], counting)
  if (residue.process === undefined || statements.pooler.isThere) return countsPrepared ? FIRST_COUNTING : FIRST
  return countsPrepared ? COUNTING : NOT_COUNTING
}

/** How many random digits the seed has. */
const SEED_DIGITS = 15
const SEED = `0.${"0".repeat(SEED_DIGITS)}`
/** As a command it costs the server a small part of what the function `setseed` does in a SELECT. */
const RESEED = `SET SEED TO ${SEED}`
const ZERO = 0x30

const PROCESS = "pg_catalog.pg_backend_pid()"

/** Takes what the SELECT of a reset returns: an empty value, and the process. */
const noteProcess = (session: Session, [_unlocked, process]: ReadonlyArray<string>): void =>
  servedBy(session, Number(process))

/** Every lease ends with it, so its message is made once, and only the seed in it changes. */
const reseeding = (selected: ReadonlyArray<string>, statements: ReadonlyArray<string>): Control => {
  const sql = within([...UNDO, RESEED, [UNLOCK, ...selected].join(", "), ...statements])
  return {
    operation: "the reset",
    sql,
    ...(selected.length === 0 ? {} : { read: noteProcess }),
    write: withNewSeed((writer) => writeQuery(writer, sql))
  }
}

/** Encodes a text with one seed in it, once. What it returns writes that again, with another seed. */
const withNewSeed = (encode: (writer: ByteWriter) => void): ((to: ByteWriter) => void) => {
  const writer = new ByteWriter()
  encode(writer)
  const bytes = writer.take()
  const digits = bytes.indexOf(SEED) + SEED.length - SEED_DIGITS
  return (to) => {
    let rest = Math.random()
    for (let at = digits; at < digits + SEED_DIGITS; at++) {
      rest *= 10
      const digit = Math.floor(rest)
      bytes[at] = ZERO + digit
      rest -= digit
    }
    to.raw(bytes)
  }
}

const COMMANDS = [BEGIN, ...UNDO, RESEED, UNLOCK, "COMMIT"]

/** The reset between two borrowers as commands of the extended protocol, without a Sync. */
export const writeResetCommands = withNewSeed((writer) => COMMANDS.forEach((sql) => writeCommand(writer, sql)))

/** The messages that answer these commands. */
export const RESET_ANSWERS: ReadonlyArray<number> = COMMANDS.flatMap((sql) => [
  Backend.ParseComplete,
  Backend.BindComplete,
  ...(sql === UNLOCK ? [Backend.DataRow] : []),
  Backend.CommandComplete
])

const COUNT = "SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE from_sql"
const NOT_COUNTING = reseeding([], [])
const COUNTING = reseeding([], [COUNT])
const FIRST = reseeding([PROCESS], [])
const FIRST_COUNTING = reseeding([PROCESS], [COUNT])

/** Reads how many statements were prepared in SQL. The reset contains one SELECT, and counting adds another. */
export const preparedInSql = (tags: ReadonlyArray<CommandTag>): number => {
  const [, counted] = tags.filter(({ command }) => command === "SELECT")
  return counted?.rowCount ?? 0
}
