/**
 * What a user may leave behind on a session, and the SQL that removes it: session authorization and role, settings,
 * cursors that outlive their transaction, LISTEN, advisory locks, temporary objects, sequence caches. It takes a session
 * back to where its startup left it. Every name in it is qualified, so that it means the same on any search_path.
 */
import { ByteWriter } from "../../wire/byteWriter.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import type { Control } from "./controlQuery.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import { quoteName } from "../../wire/sqlText.ts"
import { SimpleQuery } from "../exchange/simpleQuery.ts"
import type { Request } from "../request/request.ts"

const UNDO = [
  "SET SESSION AUTHORIZATION DEFAULT",
  // A role that the server sets for each login comes back.
  "RESET ROLE",
  "RESET ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "DISCARD TEMP",
  "DISCARD SEQUENCES"
]

const UNLOCK = "SELECT pg_catalog.pg_advisory_unlock_all()"

/**
 * The script, with what is to be done behind it. It runs in a transaction whose modes are its own: with those that a
 * user may have left for the session, its first snapshot might wait for other transactions.
 */
const resetAnd = (statements: ReadonlyArray<string>): string => within([...UNDO, UNLOCK, ...statements])

const within = (statements: ReadonlyArray<string>): string =>
  ["BEGIN ISOLATION LEVEL READ COMMITTED", ...statements, "COMMIT"].join("; ")

/**
 * Takes a session back to where its startup left it, but for those who listen. What is forgotten and said again in one
 * transaction is listened to without a gap. Who they are is known when it is sent.
 */
export const resetKeepingListeners: Request<unknown> = {
  sql: resetAnd([]),
  params: undefined,
  exchange: (session, resume) => {
    const isIdle = session.transactionStatus === TransactionStatus.idle
    const listen = session.channels.names.map((channel) => `LISTEN ${quoteName(channel)}`)
    return new SimpleQuery(session, isIdle ? resetAnd(listen) : `ROLLBACK; ${resetAnd(listen)}`, resume)
  }
}

/**
 * For a session between two borrowers. It gives `random()` a new seed, since a borrower may have chosen one. If it is
 * to, it also counts the statements that were prepared in SQL; that takes as long as all the rest.
 */
export const resetBetweenBorrowers = (countsPrepared: boolean): Control => (countsPrepared ? COUNTING : NOT_COUNTING)

/** So many digits of the seed are drawn. */
const SEED_DIGITS = 15
const SEED = `0.${"0".repeat(SEED_DIGITS)}`
const ZERO = 0x30

/** Every lease runs it, so its message is made once, and only the seed in it is drawn anew. */
const reseeding = (statements: ReadonlyArray<string>): Control => {
  const sql = within([...UNDO, `${UNLOCK}, pg_catalog.setseed(${SEED})`, ...statements])
  const writer = new ByteWriter()
  writeQuery(writer, sql)
  const message = writer.take()
  const digits = message.indexOf(SEED) + SEED.length - SEED_DIGITS
  return {
    operation: "the reset",
    sql,
    write: (to) => {
      let rest = Math.random()
      for (let at = digits; at < digits + SEED_DIGITS; at++) {
        rest *= 10
        const digit = Math.floor(rest)
        message[at] = ZERO + digit
        rest -= digit
      }
      to.raw(message)
    }
  }
}

const NOT_COUNTING = reseeding([])
const COUNTING = reseeding(["SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE from_sql"])

/** How many statements were prepared in SQL, from the answer to that: its SELECTs give one row, and one for each. */
export const preparedInSql = (tags: ReadonlyArray<CommandTag>): number => {
  const [, counted] = tags.filter(({ command }) => command === "SELECT")
  return counted?.rowCount ?? 0
}
