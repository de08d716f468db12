/** Compares transactions and savepoints: what is kept, what is rolled back, and how each kind of end is reported. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import type * as SqlError from "effect/sql/SqlError"
import { answerOf, type Answers, clientOf, named, parity } from "./support/participants.ts"

class Refusal {
  readonly _tag = "Refusal"
}

const immediately = { startImmediately: true } as const

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "5 seconds", orElse: () => Effect.die(new Error("it does not end")) })

/** An empty table of numbers. */
const numbers = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE IF NOT EXISTS numbers (n int4 PRIMARY KEY)`
  yield* sql`DELETE FROM numbers`
  return sql
})

const insert = (n: number) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`INSERT INTO numbers ${sql.insert({ n })}`)

const kept = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(sql<{ n: number }>`SELECT n FROM numbers ORDER BY n`, (rows) => rows.map(({ n }) => n))
)

const backend = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`, ([row]) => row?.pid)
)

/** The backend of a connection. */
const pidOf = (connection: SqlConnection.Connection) =>
  Effect.map(connection.executeValues("SELECT pg_backend_pid()", []), ([row]) => row?.[0])

/** How a transaction ended: `success`, the tag of its failure, or `defect`. */
const endOf = (exit: Exit.Exit<unknown, SqlError.SqlError | Refusal>): string =>
  Exit.match(exit, {
    onSuccess: () => "success",
    onFailure: (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return "interrupted"
      return Option.match(Cause.findErrorOption(cause), {
        onNone: () => "defect",
        onSome: (error) => (error._tag === "SqlError" ? `SqlError: ${error.reason._tag}` : error._tag)
      })
    }
  })

/** A body, the ends that a transaction around it has, and what is in the table then. */
interface Ending {
  readonly behavior: string
  readonly body: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, SqlError.SqlError | Refusal, SqlClient.SqlClient>
  readonly end: Answers<string>
  readonly kept: Answers<ReadonlyArray<number>>
}

const failing = (sql: SqlClient.SqlClient) => Effect.ignore(sql`SELECT 1 / 0`)
const refusal = Effect.fail(new Refusal())

const endings: ReadonlyArray<Ending> = [
  {
    behavior: "a body that succeeds is committed",
    body: () => insert(1),
    end: { right: "success" },
    kept: { right: [1] }
  },
  {
    behavior: "a body that fails is rolled back, and its failure is the transaction's",
    body: () => Effect.andThen(insert(1), refusal),
    end: { right: "Refusal" },
    kept: { right: [] }
  },
  {
    behavior: "a body that dies is rolled back, and its defect is the transaction's",
    body: () => Effect.andThen(insert(1), Effect.die("broken")),
    end: { right: "defect" },
    kept: { right: [] }
  },
  {
    behavior: "a body that interrupts itself is rolled back",
    body: () => Effect.andThen(insert(1), Effect.interrupt),
    end: { right: "interrupted" },
    kept: { right: [] }
  },
  {
    behavior: "the error of a statement is the transaction's",
    body: () => Effect.andThen(insert(1), insert(1)),
    end: { right: "SqlError: UniqueViolation" },
    kept: { right: [] }
  },
  {
    behavior: "a body that swallowed a failed statement fails, because COMMIT is answered by ROLLBACK",
    body: (sql) => Effect.andThen(insert(1), failing(sql)),
    end: { right: "SqlError: UnknownError" },
    kept: { right: [] }
  },
  {
    behavior: "a body that fails after a failed statement keeps its own failure",
    body: (sql) => Effect.andThen(failing(sql), refusal),
    end: { right: "Refusal" },
    kept: { right: [] }
  },
  {
    behavior: "a statement after a failed one fails",
    body: (sql) => Effect.andThen(failing(sql), insert(1)),
    end: { right: "SqlError: UnknownError" },
    kept: { right: [] }
  },
  {
    behavior: "a body that ran ROLLBACK itself and succeeds is told that nothing was committed",
    body: (sql) => Effect.andThen(insert(1), sql`ROLLBACK`),
    end: { right: "SqlError: UnknownError", "@effect/sql-pg": "success" },
    kept: { right: [] }
  },
  {
    behavior: "a body that ran ROLLBACK itself and fails keeps its own failure",
    body: (sql) => Effect.andThen(insert(1), Effect.andThen(sql`ROLLBACK`, refusal)),
    end: { right: "Refusal" },
    kept: { right: [] }
  },
  {
    behavior: "a savepoint that fails is rolled back alone",
    body: (sql) =>
      Effect.gen(function* () {
        yield* insert(1)
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert(2), refusal)))
        yield* insert(3)
      }),
    end: { right: "success" },
    kept: { right: [1, 3] }
  },
  {
    behavior: "a savepoint that succeeds is rolled back with the transaction around it",
    body: (sql) => Effect.andThen(sql.withTransaction(insert(1)), refusal),
    end: { right: "Refusal" },
    kept: { right: [] }
  },
  {
    behavior: "the failed statement of a savepoint leaves the transaction as it was",
    body: (sql) =>
      Effect.gen(function* () {
        yield* insert(1)
        yield* Effect.ignore(sql.withTransaction(insert(1)))
        yield* insert(2)
      }),
    end: { right: "success" },
    kept: { right: [1, 2] }
  },
  {
    behavior: "savepoints nest three deep, and the middle one takes the innermost with it",
    body: (sql) =>
      Effect.gen(function* () {
        yield* insert(1)
        const innermost = sql.withTransaction(insert(3))
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert(2), Effect.andThen(innermost, refusal))))
        yield* sql.withTransaction(sql.withTransaction(insert(4)))
      }),
    end: { right: "success" },
    kept: { right: [1, 4] }
  },
  {
    behavior: "a savepoint that swallowed a failed statement fails typed, so that the transaction can go on",
    body: (sql) =>
      Effect.gen(function* () {
        yield* insert(1)
        yield* Effect.ignore(sql.withTransaction(Effect.andThen(insert(2), failing(sql))))
        yield* insert(3)
      }),
    end: { right: "success", "@effect/sql-pg": "defect" },
    kept: { right: [1, 3], "@effect/sql-pg": [] }
  },
  {
    behavior: "a savepoint within which ROLLBACK ran fails typed",
    body: (sql) => Effect.andThen(insert(1), sql.withTransaction(sql`ROLLBACK`)),
    end: { right: "SqlError: UnknownError", "@effect/sql-pg": "defect" },
    kept: { right: [] }
  },
  {
    behavior: "a savepoint within which ROLLBACK ran keeps the body's own failure",
    body: (sql) => Effect.andThen(insert(1), sql.withTransaction(Effect.andThen(sql`ROLLBACK`, refusal))),
    end: { right: "Refusal", "@effect/sql-pg": "defect" },
    kept: { right: [] }
  },
  {
    behavior: "a session that is lost within the body is the transaction's failure",
    body: (sql) => Effect.andThen(insert(1), sql`SELECT pg_terminate_backend(pg_backend_pid())`),
    end: { right: "SqlError: ConnectionError", "@effect/sql-pg": "defect" },
    kept: { right: [] }
  },
  {
    behavior: "a session that is lost within a savepoint is the transaction's failure",
    body: (sql) => sql.withTransaction(sql`SELECT pg_terminate_backend(pg_backend_pid())`),
    end: { right: "SqlError: ConnectionError", "@effect/sql-pg": "defect" },
    kept: { right: [] }
  },
  {
    behavior: "a body that fails after its session was lost keeps its own failure",
    body: (sql) => Effect.andThen(Effect.ignore(sql`SELECT pg_terminate_backend(pg_backend_pid())`), refusal),
    end: { right: "Refusal", "@effect/sql-pg": "defect" },
    kept: { right: [] }
  },
  {
    behavior: "a body that swallowed the loss of its session is told that nothing was committed",
    body: (sql) => Effect.andThen(insert(1), Effect.ignore(sql`SELECT pg_terminate_backend(pg_backend_pid())`)),
    end: { right: "SqlError: ConnectionError" },
    kept: { right: [] }
  },
  {
    behavior: "a constraint that is checked at COMMIT fails the transaction typed",
    body: (sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE IF NOT EXISTS late (n int4 REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)`
        yield* insert(1)
        yield* sql`INSERT INTO late VALUES (99)`
      }),
    end: { right: "SqlError: ConstraintError" },
    kept: { right: [] }
  }
]

for (const maxConnections of [1, 3]) {
  parity(
    `the ends of a transaction on a pool of ${maxConnections}`,
    (it, participant) => {
      for (const { behavior, body, end, kept: table } of endings) {
        const wrong = end[participant.name]
        it.effect(named(participant, behavior, { [participant.name]: wrong && `ends with ${wrong}` }), () =>
          Effect.gen(function* () {
            const sql = yield* numbers
            const exit = yield* Effect.exit(inTime(sql.withTransaction(body(sql))))
            assert.strictEqual(endOf(exit), answerOf(participant, end))
            assert.deepStrictEqual(yield* kept, answerOf(participant, table))
            assert.deepStrictEqual(yield* sql.withTransaction(sql`SELECT 1 AS healthy`), [{ healthy: 1 }])
          })
        )
      }
    },
    { maxConnections }
  )
}

parity(
  "transactions on a pool of three",
  (it, participant) => {
    it.effect("all statements of a body run in one session, those of its fibers too", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const pids = yield* sql.withTransaction(
          Effect.all(
            Array.from({ length: 20 }, () => backend),
            { concurrency: 20 }
          )
        )
        assert.strictEqual(new Set(pids).size, 1)
      })
    )

    it.effect("what a transaction has written is seen by others after its COMMIT, not before", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        const inserted = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          sql.withTransaction(
            Effect.andThen(insert(1), Effect.andThen(Deferred.succeed(inserted, undefined), Deferred.await(go)))
          ),
          immediately
        )
        yield* Deferred.await(inserted)
        assert.deepStrictEqual(yield* kept, [])
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* kept, [1])
      })
    )

    it.effect("siblings of one level run one after the other", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        let running = 0
        let most = 0
        const sibling = (n: number) =>
          sql.withTransaction(
            Effect.gen(function* () {
              most = Math.max(most, ++running)
              yield* insert(n)
              yield* sql`SELECT pg_sleep(0.01)`
              running--
              if (n % 2 === 0) yield* refusal
            })
          )
        yield* sql.withTransaction(
          Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.ignore(sibling(n)), { concurrency: "unbounded" })
        )
        assert.strictEqual(most, 1)
        assert.deepStrictEqual(yield* kept, [1, 3, 5])
      })
    )

    it.effect("a savepoint that is interrupted is rolled back alone", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* insert(1)
            const slow = sql.withTransaction(Effect.andThen(insert(2), Effect.never))
            yield* Effect.timeoutOption(slow, "50 millis")
            yield* insert(3)
          })
        )
        assert.deepStrictEqual(yield* kept, [1, 3])
      })
    )

    it.effect("a savepoint whose statement is interrupted is rolled back alone", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        yield* inTime(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* insert(1)
              const slow = sql.withTransaction(Effect.andThen(insert(2), sql`SELECT pg_sleep(10)`))
              yield* Effect.timeoutOption(slow, "50 millis")
              yield* insert(3)
            })
          )
        )
        assert.deepStrictEqual(yield* kept, [1, 3])
      })
    )

    it.effect("a transaction that is interrupted is rolled back, and its connection is used again", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        for (let run = 0; run < 6; run++) {
          const fiber = yield* Effect.forkChild(
            sql.withTransaction(Effect.andThen(insert(run), sql`SELECT pg_sleep(10)`)),
            immediately
          )
          yield* Effect.sleep("20 millis")
          yield* inTime(Fiber.interrupt(fiber))
        }
        assert.deepStrictEqual(yield* inTime(kept), [])
        assert.deepStrictEqual(
          yield* sql`SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tr%'`,
          [{ n: 0 }]
        )
      })
    )

    it.effect("withTransaction ends a function, whose arguments are no options of the transaction", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        interface Order {
          readonly n: number
          readonly timeout: string
          readonly isolation: string
          readonly retry: boolean
          readonly pubsub: object
        }
        const save = Effect.fnUntraced(function* ({ n }: Order, more: number) {
          yield* sql`INSERT INTO numbers VALUES (${n}), (${more})`
          return (yield* sql`SHOW transaction_isolation`)[0]
        }, sql.withTransaction)
        const order = { n: 1, timeout: "never", isolation: "as paper", retry: true, pubsub: {} }
        assert.deepStrictEqual(yield* save(order, 2), { transaction_isolation: "read committed" })
        assert.deepStrictEqual(yield* sql.withTransaction(save({ ...order, n: 3 }, 4)), {
          transaction_isolation: "read committed"
        })
        assert.deepStrictEqual(yield* kept, [1, 2, 3, 4])
        assert.deepStrictEqual(yield* Effect.all([sql`SELECT 1 AS a`, sql`SELECT 2 AS a`].map(sql.withTransaction)), [
          [{ a: 1 }],
          [{ a: 2 }]
        ])
      })
    )

    it.effect("savepoints are released, so that a transaction may have very many", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        const failure = yield* Effect.flip(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* Effect.forEach(
                Array.from({ length: 100 }, (_, n) => n),
                (n) => sql.withTransaction(insert(n)),
                {
                  discard: true
                }
              )
              yield* sql`ROLLBACK TO SAVEPOINT effect_sql_1`
            })
          )
        )
        assert.strictEqual(failure._tag, "SqlError")
        assert.deepStrictEqual(yield* kept, [])
      })
    )

    it.effect("the transaction's service has the connection and the depth, in a new pair for each level", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const level = Effect.serviceOption(sql.transactionService)
        const transaction = Effect.map(level, Option.getOrThrow)
        assert.isTrue(Option.isNone(yield* level))
        yield* sql.withTransaction(
          Effect.gen(function* () {
            const outer = yield* transaction
            assert.strictEqual(outer[1], 0)
            yield* sql.withTransaction(
              Effect.gen(function* () {
                const inner = yield* transaction
                assert.strictEqual(inner[1], 1)
                const pid = yield* backend
                assert.strictEqual(yield* pidOf(inner[0]), pid)
                assert.strictEqual(yield* inTime(pidOf(outer[0])), pid)
              })
            )
            const first = yield* sql.withTransaction(transaction)
            const second = yield* sql.withTransaction(transaction)
            assert.notStrictEqual(first, second)
          })
        )
      })
    )

    it.effect("BeginTransaction replaces the BEGIN of a transaction, and not that of a savepoint", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        const isolation = Effect.map(
          sql<{ transaction_isolation: string }>`SHOW transaction_isolation`,
          ([row]) => row?.transaction_isolation
        )
        const begin = "BEGIN ISOLATION LEVEL SERIALIZABLE"
        assert.strictEqual(yield* sql.withTransaction(isolation), "read committed")
        assert.deepStrictEqual(
          yield* sql
            .withTransaction(Effect.all([isolation, sql.withTransaction(isolation)]))
            .pipe(Effect.provideService(SqlClient.BeginTransaction, begin)),
          ["serializable", "serializable"]
        )
        assert.strictEqual(yield* sql.withTransaction(isolation), "read committed")
        const failure = yield* Effect.flip(
          sql.withTransaction(insert(1)).pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN READ ONLY"))
        )
        assert.strictEqual(failure.reason._tag, "UnknownError")
      })
    )

    it.effect("SET TRANSACTION can be the first statement of a transaction", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql.withTransaction(
          Effect.andThen(sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`, sql`SHOW transaction_isolation`)
        )
        assert.deepStrictEqual(rows, [{ transaction_isolation: "repeatable read" }])
      })
    )

    it.effect("a BEGIN that fails is a typed failure, and the body does not run", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        let ran = false
        const exit = yield* Effect.exit(
          sql
            .withTransaction(Effect.sync(() => (ran = true)))
            .pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN NONSENSE"))
        )
        assert.strictEqual(endOf(exit), "SqlError: SqlSyntaxError")
        assert.isFalse(ran)
        assert.deepStrictEqual(yield* sql.withTransaction(sql`SELECT 1 AS healthy`), [{ healthy: 1 }])
      })
    )

    it.effect("many transactions on few connections all end, and none sees another", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        yield* inTime(
          Effect.forEach(
            Array.from({ length: 60 }, (_, n) => n),
            (n) =>
              sql.withTransaction(
                Effect.gen(function* () {
                  const pid = yield* backend
                  yield* insert(n)
                  yield* sql.withTransaction(sql`UPDATE numbers SET n = n WHERE n = ${n}`)
                  assert.strictEqual(yield* backend, pid)
                })
              ),
            { concurrency: "unbounded", discard: true }
          )
        )
        assert.strictEqual((yield* kept).length, 60)
      })
    )

    it.effect("a session that is reserved within a transaction is another one, and stays it", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        const outside = yield* sql.reserve
        const first = yield* pidOf(outside)
        yield* sql.withTransaction(
          Effect.gen(function* () {
            const pid = yield* backend
            yield* insert(1)
            yield* Effect.scoped(
              Effect.gen(function* () {
                const inside = yield* sql.reserve
                assert.notStrictEqual(yield* pidOf(inside), pid)
                assert.deepStrictEqual(yield* inside.executeValues("SELECT n FROM numbers", []), [])
              })
            )
            assert.strictEqual(yield* pidOf(outside), first)
            assert.notStrictEqual(first, pid)
            assert.deepStrictEqual(yield* outside.executeValues("SELECT n FROM numbers", []), [])
            assert.strictEqual(yield* backend, pid)
          })
        )
      })
    )

    it.effect("the connection of a transaction is its session, also in a fiber that knows nothing of it", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* insert(1)
            const [connection] = Option.getOrThrow(yield* Effect.serviceOption(sql.transactionService))
            const query = connection.executeValues("SELECT pg_backend_pid()", [])
            const [row] = yield* Effect.promise(() => Effect.runPromise(query))
            assert.strictEqual(row?.[0], yield* backend)
          })
        )
      })
    )

    it.effect("a connection that is given to the transaction's service runs the statements", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const mine = yield* sql.reserve
        const [row] = yield* mine.executeValues("SELECT pg_backend_pid()", [])
        const pids = Effect.all([backend, backend], { concurrency: 2 })
        const found = yield* Effect.provideService(pids, sql.transactionService, [mine, 0])
        assert.deepStrictEqual(found, [row?.[0], row?.[0]])
      })
    )

    it.effect("two clients of one program have transactions of their own, one within the other", () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        const other = yield* Effect.map(Layer.build(clientOf(participant)), (context) =>
          Context.get(context, SqlClient.SqlClient)
        )
        yield* Effect.ignore(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* insert(1)
              assert.deepStrictEqual(yield* other`SELECT n FROM numbers`, [])
              yield* other.withTransaction(other`INSERT INTO numbers VALUES (2)`)
              yield* insert(3)
              yield* refusal
            })
          )
        )
        assert.deepStrictEqual(yield* kept, [2])
      })
    )

    it.effect("a reserved session is the caller's alone, and another one than that of the transaction around it", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* Effect.scoped(
          Effect.gen(function* () {
            const mine = yield* sql.reserve
            const pid = Effect.map(mine.executeValues("SELECT pg_backend_pid()", []), (rows) => rows[0]?.[0])
            const first = yield* pid
            const others = yield* Effect.all(
              Array.from({ length: 10 }, () => backend),
              { concurrency: 10 }
            )
            assert.notInclude(others, first)
            assert.strictEqual(yield* pid, first)
            assert.notStrictEqual(
              yield* sql.withTransaction(Effect.flatMap(Effect.scoped(sql.reserve), () => backend)),
              first
            )
          })
        )
      })
    )
  },
  { maxConnections: 3 }
)

parity(
  "a pool of one",
  (it, participant) => {
    const leaks: Answers<unknown> = {
      right: { kept: [], leftover: "UTC" },
      "@effect/sql-pg": { kept: [1], leftover: "Asia/Tokyo" }
    }
    const title = "what a reserved session has begun and set does not reach the next borrower"
    it.effect(named(participant, title, { "@effect/sql-pg": "hands both on" }), () =>
      Effect.gen(function* () {
        const sql = yield* numbers
        yield* Effect.scoped(
          Effect.gen(function* () {
            const mine = yield* sql.reserve
            yield* mine.executeUnprepared("SET timezone = 'UTC'", [], undefined)
          })
        )
        const pid = yield* Effect.scoped(
          Effect.gen(function* () {
            const mine = yield* sql.reserve
            yield* mine.executeUnprepared("SET timezone = 'Asia/Tokyo'", [], undefined)
            yield* mine.executeUnprepared("BEGIN", [], undefined)
            yield* mine.executeUnprepared("INSERT INTO numbers VALUES (1)", [], undefined)
            const [row] = yield* mine.execute("SELECT pg_backend_pid() AS pid", [], undefined)
            return row
          })
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const next = yield* sql.reserve
            assert.deepStrictEqual(yield* next.execute("SELECT pg_backend_pid() AS pid", [], undefined), [pid])
            const numbers = yield* next.executeValues("SELECT n FROM numbers", [])
            const [zone] = yield* next.executeValues("SHOW timezone", [])
            yield* next.executeUnprepared("ROLLBACK", [], undefined)
            assert.deepStrictEqual({ kept: numbers.flat(), leftover: zone?.[0] }, answerOf(participant, leaks))
          })
        )
      })
    )
  },
  { maxConnections: 1, timeZone: "UTC" }
)
