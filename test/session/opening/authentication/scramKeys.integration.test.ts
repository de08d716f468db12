/** What the keys that SCRAM remembers mean for passwords that change, and for passwords that are wrong. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import type * as PgError from "../../../../src/PgError.ts"
import { TestDatabase } from "../../../support/database.ts"
import { derivationsOf } from "../../../support/derivations.ts"
import { assertHealthy, liveConnection, livePool, valueOf } from "../../../support/live.ts"

const settingsOf = (user: string, password: string) => ({
  user,
  password: Redacted.make(password),
  requireAuth: ["scram-sha-256"] as const
})

const counted = <A, E>(effect: Effect.Effect<A, E, TestDatabase>) =>
  Effect.flatMap(Effect.context<TestDatabase>(), (context) =>
    Effect.promise(() => derivationsOf(() => Effect.runPromiseWith(context)(effect)))
  )

/** A role of its own, so that no other test knows its keys. */
const newRole = Effect.gen(function* () {
  const name = `keys_${randomBytes(6).toString("hex")}`
  const admin = yield* liveConnection()
  const set = (password: string) =>
    Effect.orDie(
      admin.executeScript(`SET password_encryption = 'scram-sha-256'; ALTER ROLE ${name} PASSWORD '${password}'`)
    )
  yield* admin.execute(`CREATE ROLE ${name} LOGIN`)
  yield* Effect.addFinalizer(() => Effect.orDie(admin.execute(`DROP ROLE ${name}`)))
  return { name, set }
})

const letIn = (user: string, password: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* liveConnection(settingsOf(user, password))
      yield* assertHealthy(connection)
      return yield* valueOf(connection, "SELECT current_user")
    })
  )

const refused = (user: string, password: string) =>
  Effect.map(Effect.flip(letIn(user, password)), ({ _tag }): PgError.PgError["_tag"] => _tag)

layer(TestDatabase.layer, { excludeTestServices: true })("the keys of a role that authenticates by SCRAM", (it) => {
  it.effect("are derived once for all connections of two pools and of single connections", () =>
    Effect.gen(function* () {
      const { name, set } = yield* newRole
      yield* set("first")
      const many = Effect.scoped(
        Effect.gen(function* () {
          const settings = { ...settingsOf(name, "first"), minConnections: 10, maxConnections: 10 }
          const pools = yield* Effect.all([livePool(settings), livePool(settings)], { concurrency: 2 })
          for (const pool of pools) yield* assertHealthy(pool)
          yield* letIn(name, "first")
        })
      )
      assert.strictEqual((yield* counted(many)).count, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("are those of the new password once it has changed, and the old one lets nobody in", () =>
    Effect.gen(function* () {
      const { name, set } = yield* newRole
      yield* set("first")
      assert.strictEqual(yield* letIn(name, "first"), name)
      yield* set("second")
      assert.strictEqual(yield* refused(name, "first"), "InvalidPasswordError")
      assert.strictEqual(yield* letIn(name, "second"), name)
      yield* set("first")
      assert.strictEqual(yield* letIn(name, "first"), name)
      assert.strictEqual(yield* refused(name, "second"), "InvalidPasswordError")
    }).pipe(Effect.scoped)
  )

  it.effect("are not spoiled by a wrong password, whose keys are not kept", () =>
    Effect.gen(function* () {
      const { name, set } = yield* newRole
      yield* set("right")
      const both = Effect.all([refused(name, "wrong"), letIn(name, "right"), refused(name, "wrong")], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(yield* both, ["InvalidPasswordError", name, "InvalidPasswordError"])
      const { count, result } = yield* counted(Effect.all([refused(name, "wrong"), letIn(name, "right")]))
      assert.deepStrictEqual(result, ["InvalidPasswordError", name])
      assert.strictEqual(count, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("are there for others if one of those that wait for them is interrupted", () =>
    Effect.gen(function* () {
      const { name, set } = yield* newRole
      yield* set("right")
      const soon = Effect.timeoutOption(letIn(name, "right"), 3)
      const all = Effect.all(
        Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? soon : letIn(name, "right"))),
        { concurrency: "unbounded" }
      )
      const answers = yield* all
      assert.deepStrictEqual([answers[1], answers[3], answers[5]], [name, name, name])
      assert.strictEqual(yield* letIn(name, "right"), name)
    }).pipe(Effect.scoped)
  )
})
