/**
 * Tests many fibers that move money between few accounts. Each transfer is one serializable transaction that is
 * retried, while backends are killed, connections break around COMMIT, and transfers time out. Afterwards every
 * transfer is stored as its outcome said, and no money is lost.
 *
 *   EFFECTPG_BANK_SECONDS=600   for so long (8 otherwise), and on until every kind of fault has happened
 */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgTransaction from "../../src/PgTransaction.ts"
import { TestDatabase } from "../support/database.ts"
import { liveConnection, liveSettings, uniqueName, valueOf } from "../support/live.ts"
import { type ProxiedMessage, proxyTo } from "../../src/pgTest/proxy.ts"

const SECONDS = Number(process.env["EFFECTPG_BANK_SECONDS"] ?? 8)
/** How much longer it may take until every kind of fault has happened. */
const PATIENCE_SECONDS = 60
const ACCOUNTS = 12
const BALANCE = 1_000
const CLERKS = 12
const KILL_EVERY_MILLIS = 80
const PART_TIMED_OUT = 0.05
/** Every so many messages that ask for a COMMIT or confirm one; an odd number meets both. */
const BREAK_EVERY = 15
const MAX_TIMEOUT_MILLIS = 20

/** What the caller of a transfer knows about it. */
type Claim = "done" | "not done" | "not known"

const COMMIT_REQUEST = "COMMIT\0"

const concernsCommit = ({ bytes, type }: ProxiedMessage): boolean =>
  (type === "Q" || type === "C") && bytes.toString("latin1", 5) === COMMIT_REQUEST

const anyOf = (count: number): number => Math.floor(Math.random() * count)

const SCHEMA = `
  CREATE TABLE accounts (id int4 PRIMARY KEY, balance int4 NOT NULL);
  INSERT INTO accounts SELECT id, ${BALANCE} FROM generate_series(0, ${ACCOUNTS - 1}) AS id;
  CREATE TABLE ledger (transfer int4, debit int4, credit int4, amount int4)`

/** The balances according to the ledger, and those of the accounts. */
const DRIFT = `
  SELECT count(*)::int4 FROM accounts
  WHERE balance <> ${BALANCE}
    + (SELECT coalesce(sum(amount), 0) FROM ledger WHERE credit = id)
    - (SELECT coalesce(sum(amount), 0) FROM ledger WHERE debit = id)`

const KILL_ONE = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 ORDER BY random() LIMIT 1`

const transfer = (pool: PgPool.PgPool, id: number, attempted: () => void) => {
  const debit = anyOf(ACCOUNTS)
  const credit = (debit + 1 + anyOf(ACCOUNTS - 1)) % ACCOUNTS
  const amount = 1 + anyOf(20)
  const move = Effect.gen(function* () {
    attempted()
    const balance = Number(yield* valueOf(pool, "SELECT balance FROM accounts WHERE id = $1", [debit]))
    yield* pool.execute("UPDATE accounts SET balance = $2 WHERE id = $1", [debit, balance - amount])
    yield* pool.execute("UPDATE accounts SET balance = balance + $2 WHERE id = $1", [credit, amount])
    yield* pool.execute("INSERT INTO ledger VALUES ($1, $2, $3, $4)", [id, debit, credit, amount])
  })
  const retry = Schedule.max([Schedule.jittered(Schedule.exponential("1 millis")), Schedule.recurs(8)])
  const whole = pool.withTransaction(move, { isolation: "serializable", retry, trackOutcome: true })
  return Math.random() < PART_TIMED_OUT ? Effect.timeout(whole, 1 + anyOf(MAX_TIMEOUT_MILLIS)) : whole
}

/** Asks until the server knows: a transaction that was cut off may still be ending. */
const resolve = (
  pool: PgPool.PgPool,
  error: PgError.CommitOutcomeUnknownError
): Effect.Effect<PgTransaction.TransactionOutcome> =>
  PgTransaction.outcome(pool, error).pipe(
    Effect.flatMap((outcome) => (outcome === "in progress" ? Effect.fail(outcome) : Effect.succeed(outcome))),
    Effect.retry({ schedule: Schedule.spaced("5 millis"), times: 1_000 }),
    Effect.orDie
  )

layer(TestDatabase.layer, { excludeTestServices: true })("a bank", (it) => {
  it.effect(
    "loses no money, and no transfer is lost, invented or done twice, whatever breaks",
    () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        yield* observer.executeScript(SCHEMA)
        const { host, port } = yield* TestDatabase
        const proxy = yield* proxyTo({ host, port })
        let commitMessages = 0
        let broken = 0
        proxy.onMessage = (link, message) => {
          if (!concernsCommit(message) || ++commitMessages % BREAK_EVERY !== 0) return
          broken++
          link.reset()
        }
        const applicationName = uniqueName()
        const pool = yield* PgPool.make(
          yield* liveSettings({
            host: proxy.host,
            port: proxy.port,
            sslMode: "disable",
            applicationName,
            maxConnections: CLERKS
          })
        )
        const claims = new Map<number, Claim>()
        const seen = new Map<string, number>()
        const count = (what: string) => void seen.set(what, (seen.get(what) ?? 0) + 1)

        const judge = (exit: Exit.Exit<void, unknown>): Effect.Effect<Claim> => {
          if (Exit.isSuccess(exit)) return Effect.succeed("done")
          const error = Cause.squash(exit.cause)
          if (!PgError.isPgError(error)) {
            count("timed out")
            return Effect.succeed("not known")
          }
          count(error._tag)
          if (error._tag !== "CommitOutcomeUnknownError") return Effect.succeed("not done")
          return Effect.map(resolve(pool, error), (outcome) => {
            count(`of which ${outcome}`)
            return outcome === "committed" ? "done" : outcome === "aborted" ? "not done" : "not known"
          })
        }

        let transfers = 0
        const countRetries = () => {
          let attempts = 0
          return () => (++attempts > 1 ? count("retried") : undefined)
        }
        const missing = () =>
          ["killed", "retried", "timed out", "CommitOutcomeUnknownError"].filter((what) => !seen.has(what))
        const begunAt = performance.now()
        const hasMore = () => {
          const seconds = (performance.now() - begunAt) / 1_000
          return seconds < SECONDS || (missing().length > 0 && seconds < SECONDS + PATIENCE_SECONDS)
        }
        const clerk = Effect.gen(function* () {
          while (hasMore()) {
            const id = transfers++
            claims.set(id, yield* Effect.flatMap(Effect.exit(transfer(pool, id, countRetries())), judge))
          }
        })
        const killer = yield* Effect.forkChild(
          Effect.forever(
            Effect.gen(function* () {
              yield* Effect.sleep(KILL_EVERY_MILLIS)
              const { rowCount } = yield* observer.execute(KILL_ONE, [applicationName])
              if (rowCount > 0) count("killed")
            })
          )
        )
        yield* Effect.all(
          Array.from({ length: CLERKS }, () => clerk),
          { concurrency: "unbounded" }
        )
        yield* Fiber.interrupt(killer)

        const entries = yield* observer.fetchTuples("SELECT transfer, count(*)::int4 FROM ledger GROUP BY transfer")
        const times = new Map(entries.map(([transfer, times]) => [Number(transfer), Number(times)]))
        const number = (claim: Claim) => [...claims.values()].filter((each) => each === claim).length
        console.log(
          `transfers ${transfers}: ${number("done")} done, ${number("not done")} not done`,
          Object.fromEntries(seen)
        )
        console.log(`connections broken around COMMIT: ${broken}`)
        for (const [transfer, claim] of claims) {
          const actual = times.get(transfer) ?? 0
          if (claim === "done") assert.strictEqual(actual, 1, `transfer ${transfer} was claimed`)
          if (claim === "not done") assert.strictEqual(actual, 0, `transfer ${transfer} was said not to be done`)
          assert.isAtMost(actual, 1, `transfer ${transfer} was done twice`)
        }
        assert.strictEqual(yield* valueOf(observer, DRIFT), 0)
        assert.strictEqual(yield* valueOf(observer, "SELECT sum(balance)::int4 FROM accounts"), ACCOUNTS * BALANCE)
        // The faults must have happened, or nothing was shown.
        assert.isAbove(number("done"), 0)
        assert.isAbove(broken, 0)
        assert.deepStrictEqual(missing(), [])
        assert.strictEqual(seen.get("of which unknown"), undefined)
      }),
    (SECONDS + PATIENCE_SECONDS) * 1_000 + 60_000
  )
})
