/** Tests the transfers of an application with `PgTest`: on a database of its own, with rollback, and with faults. */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as path from "node:path"
import { PgClient, PgMigrator } from "../../src/index.ts"
import * as PgTest from "../../src/PgTest.ts"
import { balanceOf, transfer } from "./accounts.ts"

const accounts = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("INSERT INTO accounts VALUES ('Ada', 100), ('Grace', 0)")
})

const Database = PgTest.layer({
  migrations: PgMigrator.fromDirectory(path.join(import.meta.dirname, "migrations")),
  setup: accounts
}).pipe(Layer.provide(NodeServices.layer))

it.layer(Database)("a transfer", (it) => {
  it.effect("moves money", () =>
    Effect.gen(function* () {
      yield* transfer("Ada", "Grace", 30)
      assert.strictEqual(yield* balanceOf("Ada"), 70)
      assert.strictEqual(yield* balanceOf("Grace"), 30)
    }).pipe(PgTest.rollback)
  )

  it.effect("moves nothing if an account is unknown", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(transfer("Ada", "Nobody", 30))
      assert.strictEqual(error._tag, "UnknownAccount")
      assert.strictEqual(yield* balanceOf("Ada"), 100)
    }).pipe(PgTest.rollback)
  )
})

// #region faults
const Unreliable = PgTest.failing().pipe(Layer.provideMerge(Database))

it.layer(Unreliable)("a transfer whose connection breaks off", (it) => {
  it.effect("may have been done, and says so", () =>
    Effect.gen(function* () {
      const faults = yield* PgTest.Faults
      yield* faults.strike("loseCommitAnswer")
      const error = yield* Effect.flip(transfer("Ada", "Grace", 30))
      assert.strictEqual(error._tag, "CommitOutcomeUnknownError")
      assert.strictEqual(yield* balanceOf("Ada"), 70)
    })
  )
})
// #endregion faults
