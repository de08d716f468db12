/** Tests random programs of nested transactions of a pool against a model. */
import * as Effect from "effect/Effect"
import { subjectOf } from "./program.ts"
import { INSERT, testPrograms } from "./randomPrograms.ts"

testPrograms({
  of: "transactions",
  runs: 2_000,
  subjectOn: (pg) =>
    Effect.succeed((program, committed) =>
      subjectOf(pg, (n) =>
        Effect.andThen(pg.execute(INSERT, [program, n]), pg.afterCommit(Effect.sync(() => void committed.push(n))))
      )
    )
})
