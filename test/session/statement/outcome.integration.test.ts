/** Tests that a failed statement which commits while it runs never has the outcome none. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, livePool, refusalOf, valueOf } from "../../support/live.ts"

const SCHEMA = `CREATE TABLE effects (n int4);
  CREATE TABLE doubled (n int4);
  INSERT INTO doubled VALUES (1), (1);
  CREATE PROCEDURE commits_and_fails() LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO effects VALUES (1); COMMIT; RAISE division_by_zero; END $$`

const COMMITS_AND_FAILS = "BEGIN INSERT INTO effects VALUES (1); COMMIT; RAISE division_by_zero; END"

layer(TestDatabase.layer, { excludeTestServices: true })("the outcome of a statement that failed", (it) => {
  it.effect("is unknown if it may have committed a part, and the part is there", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      yield* pool.executeScript(SCHEMA)
      const calls = [
        pool.execute("CALL commits_and_fails()"),
        pool.execute(`DO $$ ${COMMITS_AND_FAILS} $$`),
        pool.executeScript("CALL commits_and_fails()"),
        pool.executeScript("INSERT INTO effects VALUES (1); COMMIT; SELECT 1 / 0"),
        pool
          .batch([{ sql: "CALL commits_and_fails()" }], { errorBarriers: true })
          .pipe(Effect.flatMap(([first]) => (first === undefined ? Effect.die("no result") : Effect.fromResult(first))))
      ]
      for (const [done, call] of calls.entries()) {
        const error = yield* refusalOf(call)
        assert.strictEqual(error._tag, "DivisionByZeroError")
        assert.strictEqual("outcome" in error ? error.outcome : undefined, "unknown", `call ${done}`)
        assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM effects"), done + 1)
      }
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is unknown for an index that is built concurrently: the invalid index stays", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      const error = yield* refusalOf(pool.execute("CREATE UNIQUE INDEX CONCURRENTLY halfway ON doubled (n)"))
      assert.deepStrictEqual([error._tag, "outcome" in error && error.outcome], ["UniqueViolationError", "unknown"])
      const invalid = "SELECT count(*)::int4 FROM pg_index WHERE indexrelid = 'halfway'::regclass AND NOT indisvalid"
      assert.strictEqual(yield* valueOf(pool, invalid), 1)
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )

  it.effect("is none for a statement that is all or nothing, and inside a transaction", () =>
    Effect.gen(function* () {
      const pool = yield* livePool()
      for (const call of [
        pool.execute("INSERT INTO effects SELECT 1 / 0"),
        pool.withTransaction(pool.execute("DO $$ BEGIN INSERT INTO effects VALUES (1); RAISE division_by_zero; END $$"))
      ]) {
        const before = yield* valueOf(pool, "SELECT count(*)::int4 FROM effects")
        const error = yield* refusalOf(call)
        assert.deepStrictEqual([error._tag, "outcome" in error && error.outcome], ["DivisionByZeroError", "none"])
        assert.strictEqual(yield* valueOf(pool, "SELECT count(*)::int4 FROM effects"), before)
      }
      yield* assertHealthy(pool)
    }).pipe(Effect.scoped)
  )
})
