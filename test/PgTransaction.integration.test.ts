/** Tests what each ending of a transaction's body leaves of its work, as other connections see it. */
import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as PgConnection from "../src/PgConnection.ts"
import type * as PgError from "../src/PgError.ts"
import type * as PgTransaction from "../src/PgTransaction.ts"
import { TestDatabase } from "./support/database.ts"
import { assertHealthy, eventually, killBackend, liveConnection, livePool, refusalOf, valueOf } from "./support/live.ts"

type Made = Effect.Effect<PgConnection.Queryable, PgError.PgError, TestDatabase | Scope.Scope>

const makers: ReadonlyArray<readonly [string, Made]> = [
  ["a connection", liveConnection()],
  ["a pool", livePool({ maxConnections: 3 })]
]

const table = Effect.gen(function* () {
  const observer = yield* liveConnection()
  const name = `t_${crypto.randomUUID().replaceAll("-", "")}`
  yield* observer.execute(`CREATE TABLE ${name} (n int4)`)
  const numbers = valueOf(observer, `SELECT coalesce(array_agg(n ORDER BY n), '{}') FROM ${name}`)
  const insert = (queryable: PgConnection.Queryable, n: number) =>
    queryable.execute(`INSERT INTO ${name} VALUES ($1)`, [n])
  /** Fails if any session still has a lock on the table. */
  const isUnlocked = Effect.exit(
    observer.executeScript(`BEGIN; LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT`)
  ).pipe(
    Effect.tap((exit) => (Exit.isSuccess(exit) ? Effect.void : observer.execute("ROLLBACK"))),
    Effect.map(Exit.isSuccess)
  )
  return { insert, isUnlocked, name, numbers, observer }
})

const FAILURE = "the body's own failure"

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a transaction of ${what}`, (it) => {
    it.effect("is visible to others after its body has succeeded, and not before", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, numbers } = yield* table
        const pg = yield* make
        const body = Effect.gen(function* () {
          yield* insert(pg, 1)
          assert.deepStrictEqual(yield* numbers, [])
          return "result"
        })
        assert.strictEqual(yield* pg.withTransaction(body), "result")
        assert.deepStrictEqual(yield* numbers, [1])
        assert.isTrue(yield* isUnlocked)
        yield* assertHealthy(pg)
      })
    )

    it.effect("leaves nothing if its body fails, dies or is interrupted, and ends with the exit of the body", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, numbers } = yield* table
        const pg = yield* make
        const endings: ReadonlyArray<
          readonly [Effect.Effect<never, string>, (cause: Cause.Cause<unknown>) => boolean]
        > = [
          [Effect.fail(FAILURE), (cause) => Cause.squash(cause) === FAILURE],
          [Effect.die(FAILURE), Cause.hasDies],
          [Effect.interrupt, Cause.hasInterruptsOnly]
        ]
        for (const [ending, isSame] of endings) {
          const exit = yield* Effect.exit(pg.withTransaction(Effect.andThen(insert(pg, 1), ending)))
          if (Exit.isSuccess(exit)) return assert.fail("it succeeded")
          assert.isTrue(isSame(exit.cause), String(exit))
          assert.deepStrictEqual(yield* numbers, [])
          assert.isTrue(yield* isUnlocked)
        }
        const fiber = yield* Effect.forkChild(
          pg.withTransaction(Effect.andThen(insert(pg, 1), pg.execute("SELECT pg_sleep(60)"))),
          { startImmediately: true }
        )
        yield* Effect.sleep("50 millis")
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
        yield* eventually(isUnlocked, true)
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      })
    )

    it.effect("is undone alone if it is nested and its failure is caught around it", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* insert(pg, 1)
            const caught = yield* Effect.flip(
              pg.withTransaction(
                Effect.gen(function* () {
                  yield* insert(pg, 2)
                  yield* pg.withTransaction(insert(pg, 3))
                  yield* pg.execute("SELECT 1 / 0")
                })
              )
            )
            assert.strictEqual(caught._tag, "DivisionByZeroError")
            yield* pg.withTransaction(Effect.andThen(insert(pg, 4), pg.withTransaction(insert(pg, 5))))
            yield* insert(pg, 6)
          })
        )
        assert.deepStrictEqual(yield* numbers, [1, 4, 5, 6])
        yield* assertHealthy(pg)
      })
    )

    it.effect("is undone with the outer transaction if it is nested", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const body = pg.withTransaction(insert(pg, 1)).pipe(Effect.andThen(Effect.fail(FAILURE)))
        assert.strictEqual(yield* Effect.flip(pg.withTransaction(body)), FAILURE)
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      })
    )

    it.effect("leaves no savepoint on the server, however a nested transaction ends", () =>
      Effect.gen(function* () {
        const { insert } = yield* table
        const pg = yield* make
        for (const ending of [Effect.void, Effect.fail(FAILURE), Effect.ignore(pg.execute("SELECT 1 / 0"))]) {
          const body = Effect.gen(function* () {
            yield* Effect.ignore(pg.withTransaction(Effect.andThen(insert(pg, 1), ending)))
            yield* pg.execute("RELEASE SAVEPOINT effectpg_1")
          })
          assert.strictEqual((yield* refusalOf(pg.withTransaction(body)))._tag, "InvalidSavepointSpecificationError")
        }
        yield* assertHealthy(pg)
      })
    )

    it.effect("fails if a statement had failed and the failure was caught inside", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, numbers } = yield* table
        const pg = yield* make
        const caught = Effect.ignore(pg.execute("SELECT 1 / 0"))
        const error = yield* Effect.flip(pg.withTransaction(Effect.andThen(insert(pg, 1), caught)))
        assert.strictEqual(error._tag, "TransactionRolledBackError")
        assert.strictEqual(error.outcome, "none")
        assert.deepStrictEqual(yield* numbers, [])

        const nested = pg.withTransaction(Effect.andThen(insert(pg, 2), caught))
        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* insert(pg, 1)
            assert.strictEqual((yield* Effect.flip(nested))._tag, "TransactionRolledBackError")
          })
        )
        assert.deepStrictEqual(yield* numbers, [1])
        assert.isTrue(yield* isUnlocked)
        yield* assertHealthy(pg)
      })
    )

    it.effect("fails with the server's error if a deferred constraint is violated at COMMIT", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, name, numbers, observer } = yield* table
        yield* observer.execute(`ALTER TABLE ${name} ADD UNIQUE (n) DEFERRABLE INITIALLY DEFERRED`)
        const pg = yield* make
        const error = yield* Effect.flip(pg.withTransaction(Effect.andThen(insert(pg, 1), insert(pg, 1))))
        assert.strictEqual(error._tag, "UniqueViolationError")
        assert.strictEqual(error.outcome, "none")
        assert.deepStrictEqual(yield* numbers, [])
        assert.isTrue(yield* isUnlocked)
        yield* assertHealthy(pg)
      })
    )

    it.effect("fails if its body ends it in SQL, and does not end another transaction", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        for (const [ending, survivors, outcome] of [
          ["COMMIT", [1], "unknown"],
          ["ROLLBACK", [1], "none"]
        ] as const) {
          const body = Effect.andThen(insert(pg, 1), pg.execute(ending))
          const error = yield* Effect.flip(pg.withTransaction(body))
          assert.strictEqual(error._tag, "TransactionClosedError")
          assert.strictEqual(error.outcome, outcome)
          assert.deepStrictEqual(yield* numbers, survivors)
          yield* assertHealthy(pg)
        }
        const nested = pg.withTransaction(Effect.andThen(insert(pg, 2), pg.execute("ROLLBACK")))
        const error = yield* Effect.flip(pg.withTransaction(nested))
        assert.strictEqual(error._tag, "TransactionClosedError")
        assert.deepStrictEqual(yield* numbers, [1])
        yield* assertHealthy(pg)
      })
    )

    it.effect("has the modes that it is given, or else those of the session", () =>
      Effect.gen(function* () {
        const pg = yield* make
        const modes = (options?: PgTransaction.Options) =>
          pg.withTransaction(
            Effect.all([
              valueOf(pg, "SHOW transaction_isolation"),
              valueOf(pg, "SHOW transaction_read_only"),
              valueOf(pg, "SHOW transaction_deferrable")
            ]),
            options
          )
        assert.deepStrictEqual(yield* modes(), ["read committed", "off", "off"])
        for (const isolation of ["read uncommitted", "read committed", "repeatable read", "serializable"] as const) {
          assert.deepStrictEqual(yield* modes({ isolation }), [isolation, "off", "off"])
        }
        assert.deepStrictEqual(yield* modes({ access: "read only" }), ["read committed", "on", "off"])
        const all = { isolation: "serializable", access: "read only", deferrable: true } as const
        assert.deepStrictEqual(yield* modes(all), ["serializable", "on", "on"])
        assert.deepStrictEqual(yield* modes({ access: "read write", deferrable: false }), [
          "read committed",
          "off",
          "off"
        ])
        const write = pg.withTransaction(pg.execute("CREATE TABLE refused ()"), { access: "read only" })
        assert.strictEqual((yield* Effect.flip(write))._tag, "ReadOnlySQLTransactionError")
        yield* assertHealthy(pg)
      })
    )

    it.effect("is not begun with modes that do not exist, nor with any modes inside another transaction", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        for (const wrong of [{ isolation: "snapshot" }, { access: "none" }, { deferrable: "; DROP TABLE users" }]) {
          const options: PgTransaction.Options = JSON.parse(JSON.stringify(wrong))
          const error = yield* Effect.flip(pg.withTransaction(insert(pg, 1), options))
          if (error._tag !== "InvalidConfigError") return assert.fail(String(error))
          assert.strictEqual(error.setting, Object.keys(wrong)[0])
          assert.include(error.message, "must be one of")
        }
        const nested = pg.withTransaction(insert(pg, 1), { isolation: "serializable" })
        const error = yield* Effect.flip(pg.withTransaction(nested))
        assert.strictEqual(error._tag, "InvalidConfigError")
        assert.include(error.message, "outermost")
        assert.deepStrictEqual(yield* numbers, [])
        yield* assertHealthy(pg)
      })
    )

    it.effect("keeps the work of sibling fibers if a nested transaction beside them is undone", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const FIBERS = 30
        const work = Array.from({ length: FIBERS }, (_, n) => {
          const slow = Effect.andThen(insert(pg, n), pg.execute("SELECT pg_sleep(0.001)"))
          switch (n % 3) {
            case 0:
              return Effect.ignore(pg.withTransaction(Effect.andThen(slow, pg.execute("SELECT 1 / 0"))))
            case 1:
              return insert(pg, n)
            default:
              return pg.withTransaction(slow)
          }
        })
        yield* pg.withTransaction(Effect.all(work, { concurrency: "unbounded" }))
        assert.deepStrictEqual(
          yield* numbers,
          work.map((_, n) => n).filter((n) => n % 3 !== 0)
        )
        yield* assertHealthy(pg)
      })
    )

    it.effect("refuses a fiber that outlives it", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const pg = yield* make
        const over = yield* Deferred.make<void>()
        const straggler = yield* pg.withTransaction(
          Effect.andThen(
            insert(pg, 1),
            Effect.forkDetach(
              Effect.andThen(
                Deferred.await(over),
                Effect.all([Effect.flip(insert(pg, 2)), Effect.flip(pg.withTransaction(insert(pg, 3)))])
              )
            )
          )
        )
        yield* Deferred.succeed(over, undefined)
        for (const error of yield* Fiber.join(straggler)) assert.strictEqual(error._tag, "TransactionClosedError")
        assert.deepStrictEqual(yield* numbers, [1])
        yield* assertHealthy(pg)
      })
    )

    it.effect("waits, before it ends, for the calls that fibers of its body still have under way", () =>
      Effect.gen(function* () {
        const { insert, name, numbers } = yield* table
        const pg = yield* make
        yield* pg.withTransaction(
          Effect.andThen(
            insert(pg, 1),
            Effect.forkDetach(pg.execute(`INSERT INTO ${name} SELECT 2 FROM pg_sleep(0.05)`), {
              startImmediately: true
            })
          )
        )
        assert.deepStrictEqual(yield* numbers, [1, 2])
        yield* assertHealthy(pg)
      })
    )

    it.effect("is lost with its backend, and says that none of its work happened", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, numbers, observer } = yield* table
        const pg = yield* make
        const body = Effect.gen(function* () {
          yield* insert(pg, 1)
          const backend = Number(yield* valueOf(pg, "SELECT pg_backend_pid()"))
          yield* killBackend(observer, backend)
        })
        const error = yield* Effect.flip(pg.withTransaction(body))
        if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
        assert.strictEqual(error.outcome, "none")
        const nested = yield* Effect.exit(pg.withTransaction(pg.withTransaction(body)))
        assert.isTrue(Exit.isFailure(nested))
        assert.deepStrictEqual(yield* numbers, [])
        assert.isTrue(yield* isUnlocked)
      })
    )

    it.effect("says that its outcome is unknown if its backend is lost during COMMIT", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, name, numbers, observer } = yield* table
        yield* slowCommit(observer, name, 60)
        const pg = yield* make
        const backend = yield* Deferred.make<number>()
        const body = Effect.gen(function* () {
          yield* insert(pg, 1)
          yield* Deferred.succeed(backend, Number(yield* valueOf(pg, "SELECT pg_backend_pid()")))
        })
        const fiber = yield* Effect.forkChild(pg.withTransaction(body), { startImmediately: true })
        const processId = yield* Deferred.await(backend)
        yield* eventually(valueOf(observer, "SELECT query FROM pg_stat_activity WHERE pid = $1", [processId]), "COMMIT")
        yield* killBackend(observer, processId)
        const error = yield* Effect.flip(Fiber.join(fiber))
        if (error._tag !== "CommitOutcomeUnknownError") return assert.fail(String(error))
        assert.strictEqual(error.outcome, "unknown")
        assert.strictEqual(error.lost._tag, "AdminShutdownError")
        assert.deepStrictEqual(yield* numbers, [])
        assert.isTrue(yield* isUnlocked)
      })
    )

    it.effect("is committed if the interruption comes during COMMIT and the answer soon after", () =>
      Effect.gen(function* () {
        const { insert, isUnlocked, name, numbers, observer } = yield* table
        yield* slowCommit(observer, name, 0.15)
        const pg = yield* make
        const fiber = yield* Effect.forkChild(pg.withTransaction(insert(pg, 1)), { startImmediately: true })
        const committing =
          "SELECT count(*)::int4 FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active' AND datname = current_database()"
        yield* eventually(valueOf(observer, committing), 1)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* numbers, [1])
        assert.isTrue(yield* isUnlocked)
        yield* assertHealthy(pg)
      })
    )
  })
}

/** Makes a COMMIT slow if the transaction has inserted into the table. */
const slowCommit = (observer: PgConnection.Queryable, name: string, seconds: number) =>
  observer.executeScript(`
    CREATE FUNCTION slow_${name}() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON ${name} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION slow_${name}()`)

layer(TestDatabase.layer, { excludeTestServices: true })(
  "a nested transaction in a transaction that was begun in SQL",
  (it) => {
    it.effect("is refused with advice, and the outer transaction goes on", () =>
      Effect.gen(function* () {
        const { insert, numbers } = yield* table
        const connection = yield* liveConnection()
        yield* connection.execute("BEGIN")
        yield* insert(connection, 1)
        const error = yield* refusalOf(connection.withTransaction(insert(connection, 2)))
        assert.strictEqual(error._tag, "UnsupportedError")
        assert.strictEqual(error.outcome, "none")
        assert.include(error.message, "end the outer one first")
        yield* connection.execute("COMMIT")
        assert.deepStrictEqual(yield* numbers, [1])
        yield* assertHealthy(connection)
      })
    )
  }
)
