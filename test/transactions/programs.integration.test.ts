/** Tests random programs of nested transactions of a pool against a model. */
import * as Effect from "effect/Effect"
import { CHANGE } from "../../src/pgTest/program.ts"
import { subjectOf } from "../../src/pgTest/runProgram.ts"
import { INSERT, testPrograms, UPDATE } from "./randomPrograms.ts"

testPrograms({
  of: "transactions",
  runs: 2_000,
  subjectOn: (pg) =>
    Effect.succeed((program, committed) =>
      subjectOf(pg, {
        insert: (n) =>
          Effect.andThen(pg.execute(INSERT, [program, n]), pg.afterCommit(Effect.sync(() => void committed.push(n)))),
        update: pg.execute(UPDATE, [program, CHANGE])
      })
    )
})
