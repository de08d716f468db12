/** Tests a transaction whose body ends it in SQL, and may begin another in its place. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, refusalOf, valueOf } from "../support/live.ts"
import { makers, table } from "./table.ts"

type Ending = (pg: PgConnection.Queryable) => Effect.Effect<unknown, PgError.PgError>

const statement =
  (sql: string): Ending =>
  (pg) =>
    pg.execute(sql)
const script =
  (sql: string): Ending =>
  (pg) =>
    pg.executeScript(sql)

/** How it is ended, and what is stored by a body that wrote 1 before and 2 after that. */
const endings: ReadonlyArray<readonly [string, Ending, "none" | "unknown", ReadonlyArray<number>]> = [
  ["COMMIT AND CHAIN", statement("COMMIT AND CHAIN"), "unknown", [1]],
  ["ROLLBACK AND CHAIN", statement("ROLLBACK AND CHAIN"), "none", []],
  ["COMMIT and BEGIN in one script", script("COMMIT; BEGIN"), "unknown", [1]],
  ["ROLLBACK and BEGIN in one script", script("ROLLBACK; BEGIN"), "unknown", []],
  [
    "COMMIT and BEGIN",
    (pg) => Effect.all([pg.execute("COMMIT"), pg.execute("BEGIN")], { concurrency: 2 }),
    "unknown",
    [1]
  ],
  ["COMMIT AND CHAIN in a batch", (pg) => pg.batch([{ sql: "SELECT 1" }, { sql: "COMMIT AND CHAIN" }]), "unknown", [1]]
]

for (const [what, make] of makers) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a transaction of ${what}`, (it) => {
    for (const [how, end, outcome, survivors] of endings) {
      it.effect(`fails if its body ends it by ${how}, and does nothing more`, () =>
        Effect.gen(function* () {
          const { insert, numbers } = yield* table
          const pg = yield* make
          for (const depth of [1, 2]) {
            const ran: Array<string> = []
            const body = Effect.gen(function* () {
              yield* pg.afterCommit(Effect.sync(() => ran.push("committed")))
              yield* pg.afterRollback(Effect.sync(() => ran.push("rolled back")))
              yield* insert(pg, 1)
              yield* end(pg)
              return yield* Effect.ignore(insert(pg, 2))
            })
            const error = yield* refusalOf(pg.withTransaction(depth === 1 ? body : pg.withTransaction(body)))
            assert.strictEqual(error._tag, "TransactionClosedError")
            assert.strictEqual(error.outcome, outcome)
            assert.deepStrictEqual(yield* numbers, Array.from({ length: depth }, () => survivors).flat())
            assert.deepStrictEqual(ran, outcome === "none" && depth === 1 ? ["rolled back"] : [])
            yield* assertHealthy(pg)
          }
        }).pipe(Effect.scoped)
      )
    }

    it.effect("goes on after savepoints of SQL, and after a BEGIN that the server only warns of", () =>
      Effect.gen(function* () {
        const { insert, name, numbers } = yield* table
        const pg = yield* make
        yield* pg.withTransaction(
          Effect.gen(function* () {
            yield* insert(pg, 1)
            yield* pg.execute("SAVEPOINT here")
            yield* insert(pg, 2)
            yield* pg.execute("ROLLBACK WORK TO SAVEPOINT here")
            yield* pg.executeScript(`BEGIN; INSERT INTO ${name} VALUES (3); ROLLBACK TO here`)
            yield* pg.execute("RELEASE here")
            yield* insert(pg, 4)
          })
        )
        assert.deepStrictEqual(yield* numbers, [1, 4])
        assert.strictEqual(yield* valueOf(pg, "SELECT 7"), 7)
        yield* assertHealthy(pg)
      }).pipe(Effect.scoped)
    )
  })
}
