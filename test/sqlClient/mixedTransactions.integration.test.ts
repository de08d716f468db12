/** Tests transactions that `SqlClient` and effectpg's own API share, each within the other. */
import { assert, layer } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import * as SqlResolver from "effect/sql/SqlResolver"
import * as Stream from "effect/Stream"
import * as PgClient from "../../src/PgClient.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { scopedDatabase, TestDatabase } from "../support/database.ts"
import { liveSettings, valueOf } from "../support/live.ts"
import { type Api, both, type Both, endOf, type Failure, nativeOf, sqlOf } from "./support/bothApis.ts"

const FAILURE = "the body's own failure"
const refusal = Effect.fail(FAILURE)

/** The API of the transaction, and the API of the savepoint in it. */
type Pair = readonly [outer: keyof Both["apis"], inner: keyof Both["apis"]]

const pairs: ReadonlyArray<Pair> = [
  ["sql", "pg"],
  ["pg", "sql"],
  ["sql", "sql"]
]

interface Ending {
  readonly behavior: string
  readonly body: (outer: Api, inner: Api) => Effect.Effect<unknown, string | Failure>
  readonly end: string
  readonly stored: ReadonlyArray<number>
}

const killed = (api: Api) => Effect.ignore(api.execute("SELECT pg_terminate_backend(pg_backend_pid())"))

const endings: ReadonlyArray<Ending> = [
  {
    behavior: "is committed with what both have written, each at its depth",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* inner.insert(1)
        yield* inner.transaction(Effect.andThen(outer.insert(2), outer.transaction(inner.insert(3))))
        yield* outer.insert(4)
      }),
    end: "success",
    stored: [1, 2, 3, 4]
  },
  {
    behavior: "lets both see what either has written",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* outer.insert(1)
        yield* inner.transaction(
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* inner.seen, [1])
            yield* inner.insert(2)
            assert.deepStrictEqual(yield* outer.seen, [1, 2])
          })
        )
      }),
    end: "success",
    stored: [1, 2]
  },
  {
    behavior: "is rolled back with its savepoints if the body fails",
    body: (outer, inner) =>
      Effect.andThen(Effect.andThen(outer.insert(1), inner.transaction(inner.insert(2))), refusal),
    end: FAILURE,
    stored: []
  },
  {
    behavior: "keeps the rest if a savepoint fails",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* inner.insert(1)
        yield* Effect.ignore(inner.transaction(Effect.andThen(outer.insert(2), refusal)))
        yield* outer.insert(3)
      }),
    end: "success",
    stored: [1, 3]
  },
  {
    behavior: "rolls back a released savepoint with the savepoint around it",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* outer.insert(1)
        const middle = Effect.andThen(outer.transaction(inner.insert(3)), inner.refused)
        yield* Effect.ignore(inner.transaction(Effect.andThen(inner.insert(2), middle)))
        yield* inner.transaction(outer.transaction(inner.transaction(outer.insert(4))))
      }),
    end: "success",
    stored: [1, 4]
  },
  {
    behavior: "serves sibling savepoints of both one after the other",
    body: (outer, inner) => {
      let running = 0
      const sibling = (api: Api, other: Api, n: number) =>
        api.transaction(
          Effect.gen(function* () {
            assert.strictEqual(++running, 1)
            yield* other.insert(n)
            yield* Effect.sleep(2)
            running--
            if (n % 2 === 0) yield* refusal
          })
        )
      return Effect.all(
        [sibling(outer, inner, 1), sibling(inner, outer, 2), sibling(outer, inner, 3), sibling(inner, outer, 4)].map(
          (each) => Effect.ignore(each)
        ),
        { concurrency: "unbounded" }
      )
    },
    end: "success",
    stored: [1, 3]
  },
  {
    behavior: "fails typed if a failed statement was swallowed",
    body: (outer, inner) => Effect.andThen(outer.insert(1), Effect.ignore(inner.refused)),
    end: "TransactionRolledBackError",
    stored: []
  },
  {
    behavior: "goes on if the savepoint in which a failed statement was swallowed fails typed",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* outer.insert(1)
        const swallowed = Effect.andThen(outer.insert(2), Effect.ignore(outer.refused))
        assert.strictEqual(endOf(yield* Effect.exit(inner.transaction(swallowed))), "TransactionRolledBackError")
        assert.strictEqual(
          endOf(yield* Effect.exit(inner.transaction(outer.transaction(swallowed)))),
          "TransactionRolledBackError"
        )
        yield* inner.insert(3)
      }),
    end: "success",
    stored: [1, 3]
  },
  {
    behavior: "fails typed if its body ran ROLLBACK",
    body: (outer, inner) => Effect.andThen(outer.insert(1), inner.execute("ROLLBACK")),
    end: "TransactionClosedError",
    stored: []
  },
  {
    behavior: "fails typed if a savepoint of it ran ROLLBACK",
    body: (outer, inner) => Effect.andThen(outer.insert(1), inner.transaction(outer.execute("ROLLBACK"))),
    end: "TransactionClosedError",
    stored: []
  },
  {
    behavior: "keeps the failure of a body that ran ROLLBACK",
    body: (_, inner) => Effect.andThen(inner.execute("ROLLBACK"), refusal),
    end: FAILURE,
    stored: []
  },
  {
    behavior: "fails typed if its body ran COMMIT, and writes nothing more",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* outer.insert(1)
        yield* inner.execute("COMMIT")
        assert.strictEqual(endOf(yield* Effect.exit(outer.insert(2))), "TransactionClosedError")
      }),
    end: "TransactionClosedError",
    stored: [1]
  },
  {
    behavior: "fails typed if its body ran COMMIT AND CHAIN, and rolls back the new one",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* outer.insert(1)
        yield* inner.execute("COMMIT AND CHAIN")
        yield* Effect.ignore(outer.insert(2))
      }),
    end: "TransactionClosedError",
    stored: [1]
  },
  {
    behavior: "fails typed if its session is lost",
    body: (outer, inner) =>
      Effect.andThen(outer.insert(1), inner.transaction(Effect.andThen(killed(inner), outer.insert(2)))),
    end: "ConnectionLostError",
    stored: []
  },
  {
    behavior: "fails typed if its session was lost and nobody noticed",
    body: (outer, inner) => Effect.andThen(outer.insert(1), inner.transaction(killed(outer))),
    end: "ConnectionLostError",
    stored: []
  },
  {
    behavior: "keeps the failure of a body whose session was lost",
    body: (outer, inner) => Effect.andThen(Effect.andThen(outer.insert(1), killed(inner)), refusal),
    end: FAILURE,
    stored: []
  },
  {
    behavior: "fails typed if COMMIT is refused, because a constraint is checked late",
    body: (outer, inner) =>
      Effect.gen(function* () {
        yield* outer.execute("CREATE TEMP TABLE late (n int4 UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        yield* outer.insert(1)
        yield* inner.transaction(inner.execute("INSERT INTO late VALUES (1), (1)"))
      }),
    end: "UniqueViolationError",
    stored: []
  },
  {
    behavior: "fails typed if COMMIT is answered by ROLLBACK",
    body: (outer, inner) =>
      Effect.andThen(outer.insert(1), inner.execute("SELECT 1 / (SELECT count(*) FROM pg_class WHERE false)")).pipe(
        Effect.ignore
      ),
    end: "TransactionRolledBackError",
    stored: []
  },
  {
    behavior: "dies with its body, and is rolled back",
    body: (outer, inner) => Effect.andThen(outer.insert(1), inner.transaction(Effect.die("broken"))),
    end: "defect",
    stored: []
  }
]

layer(TestDatabase.layer, { excludeTestServices: true })("a transaction of both APIs", (it) => {
  for (const { behavior, body, end, stored } of endings) {
    it.effect(behavior, () =>
      Effect.gen(function* () {
        for (const [outer, inner] of pairs) {
          const { apis, healthy, numbers } = yield* both()
          const exit = yield* Effect.exit(apis[outer].transaction(body(apis[outer], apis[inner])))
          assert.strictEqual(endOf(exit), end, `${inner} in ${outer}: ${String(exit)}`)
          assert.deepStrictEqual(yield* numbers, stored, `${inner} in ${outer}`)
          yield* healthy
        }
      }).pipe(Effect.scoped)
    )
  }

  it.effect("fails with SqlError for what sql does itself, and with the body's own error for what it does not", () =>
    Effect.gen(function* () {
      const { healthy, pg, sql } = yield* both()
      const own = yield* Effect.flip(sql.withTransaction(Effect.ignore(pg.execute("SELECT 1 / 0"))))
      assert.isTrue(isSqlError(own))
      const native = yield* Effect.flip(sql.withTransaction(pg.execute("SELECT 1 / 0")))
      assert.strictEqual(native._tag, "DivisionByZeroError")
      const wrapped = yield* Effect.flip(pg.withTransaction(sql`SELECT 1 / 0`))
      assert.strictEqual(wrapped._tag, "SqlError")
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("begins as BeginTransaction or its options say, and a BEGIN that fails is typed and runs no body", () =>
    Effect.gen(function* () {
      const { healthy, pg, sql } = yield* both()
      const isolation = valueOf(pg, "SHOW transaction_isolation")
      const access = valueOf(pg, "SHOW transaction_read_only")
      const begun = SqlClient.BeginTransaction
      const modes = Effect.all([isolation, pg.withTransaction(sql.withTransaction(isolation)), access])
      assert.deepStrictEqual(
        yield* Effect.provideService(sql.withTransaction(modes), begun, "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"),
        ["serializable", "serializable", "on"]
      )
      assert.deepStrictEqual(
        yield* sql.withTransactionOptions({ isolation: "repeatable read", access: "read only" })(modes),
        ["repeatable read", "repeatable read", "on"]
      )
      // It begins transactions of sql only, and no savepoints.
      assert.strictEqual(
        yield* Effect.provideService(pg.withTransaction(sql.withTransaction(isolation)), begun, "BEGIN NONSENSE"),
        "read committed"
      )
      let ran = 0
      const failed = sql.withTransaction(Effect.sync(() => ran++)).pipe(Effect.provideService(begun, "BEGIN NONSENSE"))
      const error = yield* Effect.flip(failed)
      assert.strictEqual(error.reason._tag, "SqlSyntaxError")
      const nested = pg.withTransaction(
        Effect.sync(() => ran++).pipe(sql.withTransactionOptions({ isolation: "serializable" }))
      )
      assert.strictEqual(nativeOf(yield* Effect.flip(nested))?._tag, "InvalidConfigError")
      assert.strictEqual(ran, 0)
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("ends in time if it has a timeout, at each depth", () =>
    Effect.gen(function* () {
      const { apis, healthy, numbers, pg, sql } = yield* both()
      const slow = Effect.andThen(apis.pg.insert(1), sql`SELECT pg_sleep(60)`)
      const error = yield* Effect.flip(sql.withTransactionOptions({ timeout: "30 millis" })(slow))
      assert.strictEqual(nativeOf(error)?._tag, "QueryTimeoutError")
      assert.isTrue(isSqlError(error) && error.reason._tag === "StatementTimeoutError")
      yield* pg.withTransaction(
        Effect.andThen(apis.sql.insert(2), Effect.ignore(sql.withTransactionOptions({ timeout: "30 millis" })(slow)))
      )
      assert.deepStrictEqual(yield* numbers, [2])
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect(
    "is retried if it failed for a transient reason, whichever API says so, and its schedule sees the error",
    () =>
      Effect.gen(function* () {
        const { apis, healthy, numbers, pg, sql } = yield* both()
        const transient = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"
        type Retried = (
          body: Effect.Effect<void, Failure>,
          retry: Schedule.Schedule<unknown, unknown>
        ) => Effect.Effect<void, Failure>
        const ways: ReadonlyArray<Retried> = [
          (body, retry) => sql.withTransactionOptions({ retry })(body),
          (body, retry) => pg.withTransaction(body, { retry })
        ]
        for (const retried of ways) {
          for (const inner of [apis.sql, apis.pg]) {
            let attempts = 0
            const seen: Array<unknown> = []
            const retry = Schedule.tap(Schedule.recurs(3), ({ input }) =>
              Effect.sync(() => void seen.push(nativeOf(input)?._tag))
            )
            const body = Effect.gen(function* () {
              yield* inner.insert(++attempts)
              if (attempts < 3) yield* inner.execute(transient)
            })
            yield* retried(body, retry)
            assert.strictEqual(attempts, 3)
            assert.deepStrictEqual(seen, ["SerializationError", "SerializationError"])
          }
        }
        assert.deepStrictEqual(yield* numbers, [3, 3, 3, 3])
        let once = 0
        const hopeless = Effect.andThen(
          Effect.sync(() => once++),
          sql`SELECT 1 / 0`
        )
        yield* Effect.flip(sql.withTransactionOptions({ retry: Schedule.recurs(3) })(hopeless))
        assert.strictEqual(once, 1)
        yield* healthy
      }).pipe(Effect.scoped)
  )

  it.effect("is made by a function that may be given to map, and refuses wrong options with typed failures", () =>
    Effect.gen(function* () {
      const { apis, healthy, numbers, sql } = yield* both()
      const { withTransaction }: SqlClient.SqlClient = sql
      yield* Effect.all([1, 2, 3].map(apis.pg.insert).map(withTransaction))
      yield* Effect.forEach([4, 5].map(apis.sql.insert), withTransaction)
      assert.deepStrictEqual(yield* numbers, [1, 2, 3, 4, 5])
      const wrong: Array<object> = [{ timeout: "soon" }, { retry: 3 }, { isolation: "high" }, { access: 7 }]
      for (const options of wrong) {
        const exit = yield* Effect.exit(sql.withTransactionOptions(options)(sql`SELECT 1`))
        assert.strictEqual(endOf(exit), "InvalidConfigError", JSON.stringify(options))
      }
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("runs the statements of its fibers at the same time, and others do not see them before its COMMIT", () =>
    Effect.gen(function* () {
      const { apis, healthy, numbers, sql } = yield* both()
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* Effect.forEach(
            Array.from({ length: 40 }, (_, n) => n),
            (n) => (n % 2 === 0 ? apis.sql : apis.pg).insert(n),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(yield* numbers, [])
          assert.strictEqual((yield* apis.pg.seen).length, 40)
        })
      )
      assert.strictEqual((yield* apis.sql.seen).length, 40)
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("refuses the statements of a fiber that outlives it, typed, whichever API they use", () =>
    Effect.gen(function* () {
      const { apis, healthy, numbers, sql } = yield* both()
      for (const outer of [apis.sql, apis.pg]) {
        for (const inner of [apis.sql, apis.pg]) {
          const isOver = yield* Deferred.make<void>()
          const late = Effect.gen(function* () {
            yield* Deferred.await(isOver)
            const ends = [inner.insert(1), inner.transaction(inner.insert(2)), Stream.runDrain(sql`SELECT 1`.stream)]
            return yield* Effect.forEach(ends, (each) => Effect.map(Effect.exit(each), endOf))
          })
          const fiber = yield* outer.transaction(Effect.forkDetach(late))
          yield* Deferred.succeed(isOver, undefined)
          assert.deepStrictEqual(
            yield* Fiber.join(fiber),
            Array.from({ length: 3 }, () => "TransactionClosedError")
          )
        }
      }
      assert.deepStrictEqual(yield* numbers, [])
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("streams in the middle, while its other statements and savepoints go on", () =>
    Effect.gen(function* () {
      const { apis, healthy, numbers, pg, sql } = yield* both()
      const rows = sql<{ n: number }>`SELECT n FROM generate_series(1, 2500) AS n`.stream
      for (const outer of [apis.sql, apis.pg]) {
        const seen = yield* outer.transaction(
          Stream.runFold(
            Stream.mapEffect(rows, ({ n }) =>
              n % 500 === 0
                ? Effect.as(pg.withTransaction(sql.withTransaction(apis.pg.insert(n))), n)
                : Effect.succeed(n)
            ),
            () => 0,
            (sum, n) => sum + n
          )
        )
        assert.strictEqual(seen, (2_500 * 2_501) / 2)
      }
      assert.deepStrictEqual(yield* numbers, [500, 500, 1000, 1000, 1500, 1500, 2000, 2000, 2500, 2500])
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("does not take in what runs on a reserved connection", () =>
    Effect.gen(function* () {
      const { apis, healthy, name, numbers, sql } = yield* both({ maxConnections: 2 })
      const body = Effect.gen(function* () {
        yield* apis.pg.insert(1)
        const reserved = yield* sql.reserve
        yield* reserved.execute(`INSERT INTO ${name} VALUES (2)`, [], undefined)
        yield* refusal
      })
      for (const outer of [apis.sql, apis.pg]) yield* Effect.ignore(outer.transaction(Effect.scoped(body)))
      assert.deepStrictEqual(yield* numbers, [2, 2])
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("is shared by a client without transformations, and by two clients on one pool", () =>
    Effect.gen(function* () {
      const { apis, healthy, name, numbers, pg } = yield* both()
      const upper = yield* sqlOf(pg, { transformResultNames: (column) => column.toUpperCase() })
      const plain = upper.withoutTransforms()
      yield* upper.withTransaction(
        Effect.gen(function* () {
          yield* plain`INSERT INTO ${plain(name)} VALUES (1)`
          yield* Effect.ignore(plain.withTransaction(Effect.andThen(apis.sql.insert(2), refusal)))
          yield* apis.sql.transaction(apis.pg.insert(3))
          assert.deepStrictEqual(yield* upper`SELECT count(*)::int AS n FROM ${plain(name)}`, [{ N: 2 }])
          assert.deepStrictEqual(yield* plain`SELECT count(*)::int AS n FROM ${plain(name)}`, [{ n: 2 }])
        })
      )
      assert.deepStrictEqual(yield* numbers, [1, 3])
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("shares the pool of the PgClient from which its layer is made", () =>
    Effect.gen(function* () {
      const pid = Effect.flatMap(PgClient.PgClient, (pg) => valueOf(pg, "SELECT pg_backend_pid()"))
      const own = Effect.flatMap(SqlClient.SqlClient, (sql) =>
        sql.withTransaction(Effect.all([pid, Effect.map(sql`SELECT pg_backend_pid() AS pid`, ([row]) => row?.["pid"])]))
      )
      const made = PgSqlClient.layerFrom().pipe(
        Layer.provideMerge(PgClient.layer(yield* liveSettings({ maxConnections: 1 })))
      )
      const [ofPg, ofSql] = yield* Effect.provide(own, made)
      assert.strictEqual(ofPg, ofSql)
    })
  )

  it.effect("is one of two on two databases, each of which ends by itself", () =>
    Effect.gen(function* () {
      const one = yield* both()
      const { url } = yield* scopedDatabase
      const two = yield* Effect.provideService(both(), TestDatabase, { ...(yield* TestDatabase), url })
      yield* one.sql.withTransaction(
        Effect.gen(function* () {
          yield* one.apis.pg.insert(1)
          yield* Effect.ignore(
            two.sql.withTransaction(
              Effect.andThen(
                Effect.andThen(two.apis.pg.insert(10), one.sql.withTransaction(one.apis.sql.insert(2))),
                refusal
              )
            )
          )
          yield* two.pg.withTransaction(Effect.andThen(one.apis.pg.insert(3), two.apis.sql.insert(20)))
          assert.deepStrictEqual(yield* two.numbers, [20])
          assert.deepStrictEqual(yield* one.numbers, [])
        })
      )
      assert.deepStrictEqual(yield* one.numbers, [1, 2, 3])
      yield* one.healthy
      yield* two.healthy
    }).pipe(Effect.scoped)
  )

  it.effect("keeps its requests apart from those of other transactions, also without a SqlClient in the context", () =>
    Effect.gen(function* () {
      const { apis, healthy, name, pg, sql } = yield* both({ maxConnections: 3 })
      yield* pg.execute(`ALTER TABLE ${name} ADD COLUMN tx bigint DEFAULT pg_current_xact_id()::text::bigint`)
      const batches: Array<ReadonlyArray<number>> = []
      const Insert = SqlResolver.void({
        Request: Schema.Number,
        execute: (numbers) =>
          Effect.andThen(
            Effect.sync(() => void batches.push(numbers)),
            sql`INSERT INTO ${sql(name)} ${sql.insert(Arr.map(numbers, (n) => ({ n })))}`
          )
      })
      const request = (n: number) => SqlResolver.request(n, Insert)
      let waiting = 0
      let open = yield* Deferred.make<void>()
      /** All ask in the same turn. */
      const two = (n: number) =>
        Effect.gen(function* () {
          if (++waiting % 4 === 0) yield* Deferred.succeed(open, undefined)
          yield* Deferred.await(open)
          yield* Effect.all([request(n), request(n + 1)], { concurrency: "unbounded" })
        })
      const program = Effect.all(
        [
          two(0),
          apis.pg.transaction(two(10)),
          apis.sql.transaction(two(20)),
          apis.pg.transaction(Effect.andThen(two(30), refusal))
        ].map((each) => Effect.exit(each)),
        { concurrency: "unbounded" }
      )
      for (const run of [program, Effect.provideService(program, SqlClient.SqlClient, sql)]) {
        batches.length = 0
        open = yield* Deferred.make<void>()
        yield* run
        for (const batch of batches) {
          assert.strictEqual(new Set(batch.map((n) => Math.floor(n / 10))).size, 1, JSON.stringify(batches))
        }
        assert.deepStrictEqual(yield* apis.sql.seen, [0, 1, 10, 11, 20, 21])
        const [row] = yield* sql`SELECT count(DISTINCT tx)::int AS n FROM ${sql(name)}`
        assert.deepStrictEqual(row, { n: 3 })
        yield* pg.execute(`DELETE FROM ${name}`)
      }
      yield* healthy
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("after the commit of a transaction of both APIs", (it) => {
  it.effect("the callbacks of both run in order, on a pool of one, when others see the work", () =>
    Effect.gen(function* () {
      const { apis, healthy, numbers, pg, sql } = yield* both()
      for (const [outer, inner] of pairs) {
        const ran: Array<string> = []
        const note = (what: string) => Effect.sync(() => void ran.push(what))
        const asked = (what: string) =>
          Effect.andThen(Effect.orDie(sql.withTransaction(pg.execute("SELECT 1"))), note(what))
        yield* apis[outer].transaction(
          Effect.gen(function* () {
            yield* sql.afterCommit(asked("1 sql"))
            yield* pg.afterCommit(asked("2 pg"))
            yield* apis[inner].transaction(Effect.andThen(sql.afterCommit(note("3 sql")), pg.afterCommit(note("4 pg"))))
            const undone = Effect.gen(function* () {
              yield* apis[outer].transaction(
                Effect.andThen(sql.afterCommit(note("undone")), pg.afterCommit(note("undone")))
              )
              yield* sql.afterCommit(note("undone"))
              yield* refusal
            })
            yield* Effect.ignore(apis[inner].transaction(undone))
            yield* sql.afterCommit(Effect.die("a callback that dies"))
            yield* sql.afterCommit(Effect.andThen(Effect.orDie(numbers), note("5 sql")))
            assert.deepStrictEqual(ran, [])
          })
        )
        assert.deepStrictEqual(ran, ["1 sql", "2 pg", "3 sql", "4 pg", "5 sql"], `${inner} in ${outer}`)
        yield* Effect.ignore(apis[outer].transaction(Effect.andThen(sql.afterCommit(note("undone")), refusal)))
        assert.strictEqual(ran.length, 5)
      }
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("a callback of sql that comes too late is a defect, and one that can no longer matter is dropped", () =>
    Effect.gen(function* () {
      const { apis, healthy, sql } = yield* both()
      for (const outer of [apis.sql, apis.pg]) {
        let ran = 0
        const callback = sql.afterCommit(Effect.sync(() => void ran++))
        const isOver = yield* Deferred.make<void>()
        const fiber = yield* outer.transaction(Effect.forkDetach(Effect.andThen(Deferred.await(isOver), callback)))
        yield* Deferred.succeed(isOver, undefined)
        assert.strictEqual(endOf(yield* Fiber.await(fiber)), "defect")
        const ended = outer.transaction(Effect.andThen(outer.execute("ROLLBACK"), callback))
        assert.strictEqual(endOf(yield* Effect.exit(ended)), "TransactionClosedError")
        const lost = outer.transaction(
          Effect.andThen(killed(outer), outer.transaction(callback).pipe(Effect.ignore, Effect.andThen(callback)))
        )
        assert.strictEqual(endOf(yield* Effect.exit(lost)), "ConnectionLostError")
        assert.strictEqual(ran, 0)
      }
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("a callback of sql that has begun is not interrupted, and those behind it run", () =>
    Effect.gen(function* () {
      const { healthy, pg, sql } = yield* both()
      const began = yield* Deferred.make<void>()
      const ran: Array<string> = []
      const body = Effect.gen(function* () {
        yield* sql.afterCommit(
          Effect.gen(function* () {
            yield* Deferred.succeed(began, undefined)
            yield* Effect.sleep("30 millis")
            ran.push("begun")
          })
        )
        yield* sql.afterCommit(Effect.sync(() => void ran.push("sql")))
        yield* pg.afterCommit(Effect.sync(() => void ran.push("pg")))
      })
      const fiber = yield* Effect.forkChild(pg.withTransaction(sql.withTransaction(body)))
      yield* Deferred.await(began)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(ran, ["begun", "sql", "pg"])
      yield* healthy
    }).pipe(Effect.scoped)
  )

  it.effect("keys are invalidated, and not before, whichever API is outermost", () =>
    Effect.gen(function* () {
      const { apis, healthy } = yield* both()
      const reactivity = yield* Reactivity.make
      for (const [outer, inner] of pairs) {
        let heard = 0
        const forget = reactivity.registerUnsafe(["numbers"], () => void heard++)
        const { transaction } = apis[outer]
        const nested = apis[inner].transaction
        const invalidated = Reactivity.invalidate(["numbers"])
        const program = Effect.gen(function* () {
          yield* invalidated
          yield* nested(Reactivity.mutation(apis[inner].insert(1), ["numbers"]))
          yield* Effect.ignore(nested(Effect.andThen(invalidated, refusal)))
          assert.strictEqual(heard, 0, `${inner} in ${outer}`)
        })
        yield* Effect.provideService(transaction(program), Reactivity.Reactivity, reactivity)
        assert.strictEqual(heard, 2, `${inner} in ${outer}`)
        const undone = transaction(Effect.andThen(invalidated, refusal))
        yield* Effect.ignore(Effect.provideService(undone, Reactivity.Reactivity, reactivity))
        assert.strictEqual(heard, 2, `${inner} in ${outer}`)
        forget()
      }
      yield* healthy
    }).pipe(Effect.scoped)
  )
})
