/** Tests that programs find effectpg's errors within those of effect/sql. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlError from "effect/sql/SqlError"
import * as PgClient from "../../src/PgClient.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveSettings } from "../support/live.ts"

const client = Effect.flatMap(Effect.flatMap(liveSettings(), PgClient.make), (pg) => PgSqlClient.fromClient(pg))

const TestLayer = Layer.merge(TestDatabase.layer, Reactivity.layer)

layer(TestLayer, { excludeTestServices: true })("an error of PgSqlClient", (it) => {
  it.effect("has the error of effectpg inside, with its code and its outcome", () =>
    Effect.gen(function* () {
      const sql = yield* client
      const error = yield* Effect.flip(sql`SELECT missing`)
      const native = Option.getOrThrow(PgError.fromSqlError(error))
      assert.isTrue(PgError.isPostgresError(native) && native.code === "42703")
      assert.strictEqual(native._tag, "UndefinedColumnError")
      assert.strictEqual(native.outcome, "none")
      assert.strictEqual(error.message, native.message)
      yield* assertHealthy(sql.pg)
    })
  )

  it.effect("has none inside if another client has made it", () =>
    Effect.sync(() => {
      const reason = new SqlError.UnknownError({ cause: new Error("of another client") })
      assert.isTrue(Option.isNone(PgError.fromSqlError(new SqlError.SqlError({ reason }))))
    })
  )

  it.effect("is handled by the tag of the error inside, as that error itself is", () =>
    Effect.gen(function* () {
      const sql = yield* client
      yield* sql`CREATE TABLE once (id int PRIMARY KEY)`
      yield* sql`INSERT INTO once VALUES (1)`
      const constraintOf = PgError.catchTag("UniqueViolationError", (error) => Effect.succeed(error.constraintName))
      assert.strictEqual(yield* sql`INSERT INTO once VALUES (1)`.pipe(constraintOf), "once_pkey")
      assert.strictEqual(yield* sql.pg.execute("INSERT INTO once VALUES (1)").pipe(constraintOf), "once_pkey")
      assert.strictEqual(
        yield* PgError.catchTag(sql`INSERT INTO once VALUES (1)`, "UniqueViolationError", () => Effect.succeed("dual")),
        "dual"
      )
      const other = yield* Effect.flip(sql`SELECT 1 / 0`.pipe(constraintOf))
      assert.strictEqual(other._tag, "SqlError")
      const own = yield* Effect.flip(Effect.fail("of the program").pipe(constraintOf))
      assert.strictEqual(own, "of the program")
      yield* assertHealthy(sql.pg)
    })
  )
})
