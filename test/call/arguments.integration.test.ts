/**
 * Tests that a wrong argument is a typed failure before a connection is borrowed, and that no connection is lost over
 * it.
 */
import { assert, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as PgError from "../../src/PgError.ts"
import type * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, livePool, refusalOf, valueOf } from "../support/live.ts"

/** What a program in plain JavaScript, or with a cast, can pass to a call. */
const wrong: ReadonlyArray<readonly [string, unknown]> = [
  ["null", null],
  ["a number", 5],
  ["a bigint", 5n],
  ["a symbol", Symbol("s")],
  ["an empty object", {}],
  ["a parsed statement", JSON.parse('{"sql":"SELECT 1","params":[]}')],
  ["a statement of node-postgres", { text: "SELECT 1" }],
  ["a function", () => "SELECT 1"],
  ["a promise", Promise.resolve("SELECT 1")],
  ["an effect", Effect.succeed("SELECT 1")],
  [
    "an object whose getter throws",
    {
      get sql(): string {
        throw new TypeError("a getter")
      }
    }
  ],
  [
    "a proxy that throws",
    new Proxy(
      {},
      {
        get: () => {
          throw new TypeError("a proxy")
        },
        ownKeys: () => {
          throw new TypeError("keys")
        }
      }
    )
  ]
]

/** Gives 600 rows, all in one array that is filled anew each time. */
function* reusing(): Generator<ReadonlyArray<unknown>> {
  const row: Array<unknown> = []
  for (let at = 0; at < 600; at++) {
    row[0] = at
    row[1] = `row ${at}`
    yield row
  }
}

layer(TestDatabase.layer, { excludeTestServices: true })("an argument of the wrong kind", (it) => {
  const statementCalls = [
    "fetch",
    "fetchTuples",
    "fetchRow",
    "fetchOne",
    "fetchValue",
    "execute",
    "executeScript"
  ] as const
  it.effect("is a typed failure in the place of a statement, and the pool's only connection comes back", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      for (const call of statementCalls) {
        for (const [what, value] of wrong) {
          const exit = yield* callOf(pool, call, value)
          assert.isTrue(failedTyped(exit), `${call} of ${what}: ${String(exit)}`)
        }
      }
      assert.strictEqual((yield* pool.stats).inUse, 0)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is a typed failure in the place of parameters, rows, statements, bytes or a table", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      yield* pool.execute("CREATE TABLE taken (a int4)")
      for (const [what, value] of wrong) {
        if (value !== null) {
          const parameters = yield* callOf(pool, "fetch", "SELECT $1::text", value)
          // An empty object is options that say nothing, and then the parameter has no value.
          const isRight =
            what === "an empty object" ? /ParameterCountError/.test(String(parameters)) : failedTyped(parameters)
          assert.isTrue(isRight, `parameters as ${what}: ${String(parameters)}`)
        }
        for (const [call, ...before] of [
          ["executeMany", "INSERT INTO taken VALUES ($1)"],
          ["fetchMany", "INSERT INTO taken VALUES ($1) RETURNING a"],
          ["batch"],
          ["copyIn", { table: "taken" }],
          ["copyInRows", { table: "taken" }]
        ] as const) {
          const exit = yield* callOf(pool, call, ...before, value)
          assert.isTrue(failedTyped(exit), `${call} of ${what}: ${String(exit)}`)
        }
        const table = yield* callOf(pool, "copyInRows", value, [[1]])
        assert.isTrue(failedTyped(table), `a table as ${what}: ${String(table)}`)
      }
      for (const chunk of ["text", 5, Uint16Array.of(1)]) {
        const exit = yield* callOf(pool, "copyIn", { table: "taken" }, [chunk])
        assert.isTrue(failedTyped(exit), `copyIn of ${String(chunk)}: ${String(exit)}`)
      }
      assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM taken"), 0)
      assert.strictEqual((yield* pool.stats).inUse, 0)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is a typed failure that names the option in the place of an option", () =>
    Effect.gen(function* () {
      const pool = yield* livePool({ maxConnections: 1 })
      for (const [what, value] of [...wrong, ["text", "twice"], ["true", true]] as const) {
        if (value === null) continue
        const retried = yield* callOf(pool, "withTransaction", Effect.void, { retry: value })
        assert.isTrue(failedTyped(retried), `retry as ${what}: ${String(retried)}`)
        assert.include(String(retried), "retry")
      }
      const unknown = yield* callOf(pool, "fetch", "SELECT 1", [], { timeuot: 5 })
      assert.include(String(unknown), "timeuot")
      assert.strictEqual((yield* pool.stats).inUse, 0)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a parameter that throws when it is read", (it) => {
  it.effect("fails only its own call with a typed failure, even if that waited behind a transaction", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const throwing = new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new TypeError("a parameter")
          }
        }
      )
      const [begun, end] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const holder = yield* Effect.forkChild(
        connection.withTransaction(Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(end)))
      )
      yield* Deferred.await(begun)
      const waiting = yield* Effect.forkChild(connection.fetch("SELECT $1::text", [throwing]), {
        startImmediately: true
      })
      yield* Deferred.succeed(end, undefined)
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(holder)), "the transaction before it is committed")
      const exit = yield* Effect.timeout(Fiber.await(waiting), "3 seconds")
      assert.isTrue(failedTyped(exit), String(exit))
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("a row", (it) => {
  it.effect("is used with the values that it had when it was given, even if the source fills the same array anew", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      yield* connection.execute("CREATE TEMPORARY TABLE copied (a int4, b text)")
      const distinct = "SELECT count(DISTINCT (a, b))::int4 FROM copied"
      yield* connection.copyInRows({ table: "copied" }, reusing())
      assert.strictEqual(yield* valueOf(connection, distinct), 600)
      yield* connection.execute("TRUNCATE copied")
      yield* connection.executeMany("INSERT INTO copied VALUES ($1, $2)", reusing())
      assert.strictEqual(yield* valueOf(connection, distinct), 600)
      yield* assertHealthy(connection)
    }).pipe(Effect.scoped)
  )

  it.effect("is not counted beyond the second: fetchOne says that there is more than one", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const refusal = yield* refusalOf(connection.fetchOne("SELECT generate_series(1, 3)"))
      assert.strictEqual(refusal._tag, "UnexpectedRowCountError")
      assert.include(refusal.message, "more than one")
    }).pipe(Effect.scoped)
  )
})

const callOf = (
  pool: PgPool.PgPool,
  call: string,
  ...given: ReadonlyArray<unknown>
): Effect.Effect<Exit.Exit<unknown, unknown>> => {
  const method: unknown = Reflect.get(pool, call)
  if (typeof method !== "function") throw new Error(`a pool has no ${call}`)
  const effect: unknown = Reflect.apply(method, pool, given)
  return Effect.isEffect(effect)
    ? Effect.exit(Effect.timeout(effect as Effect.Effect<unknown, PgError.PgError>, "3 seconds"))
    : Effect.die(new Error(`${call} gave no Effect`))
}

const TYPED = /EncodeError|InvalidConfigError|UnsupportedError/

const failedTyped = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && TYPED.test(String(exit)) && !/Die\(/.test(String(exit))
