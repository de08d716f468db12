/** Tests random programs, each call of which is one of `SqlClient` or of effectpg's own API, against the same model. */
import * as Effect from "effect/Effect"
import { CHANGE } from "../../src/pgTest/program.ts"
import { type Subject, subjectOf } from "../../src/pgTest/runProgram.ts"
import { INSERT, testPrograms, UPDATE } from "../transactions/randomPrograms.ts"
import { sqlOf } from "./support/bothApis.ts"

/** Gives an endless series of coin tosses, the same for each seed. */
const coin = (seed: number) => {
  let state = seed + 1
  return (): boolean => {
    state = (state * 48_271) % 0x7fffffff
    return state % 2 === 0
  }
}

testPrograms({
  of: "transactions of both APIs",
  runs: 600,
  subjectOn: (pg) =>
    Effect.map(Effect.orDie(sqlOf(pg)), (sql) => (program, committed) => {
      const isSql = coin(program)
      const noted = (n: number) => Effect.sync(() => void committed.push(n))
      const native = subjectOf(pg, {
        insert: (n) => pg.execute(INSERT, [program, n]),
        update: pg.execute(UPDATE, [program, CHANGE])
      })
      const bySql: Subject = {
        insert: (n) => sql`INSERT INTO numbers VALUES (${program}, ${n})`,
        update: sql`UPDATE numbers SET n = n + ${CHANGE} WHERE program = ${program}`,
        refused: sql`SELECT 1 / 0`,
        // The text that has been run before: another one may not have begun when its time is over.
        sleep: native.sleep,
        transaction: (body) => sql.withTransaction(body)
      }
      const either = (): Subject => (isSql() ? bySql : native)
      return {
        insert: (n) =>
          Effect.andThen(either().insert(n), isSql() ? sql.afterCommit(noted(n)) : pg.afterCommit(noted(n))),
        update: Effect.suspend(() => either().update),
        refused: Effect.suspend(() => either().refused),
        sleep: (seconds, timeout) => either().sleep(seconds, timeout),
        transaction: (body) => either().transaction(body)
      }
    })
})
