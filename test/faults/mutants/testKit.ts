/** Mutants of the kit for tests, and of the clock that the client waits by. */
import type { Mutant } from "./mutants.ts"

const PG_TEST = "test/PgTest.integration.test.ts"
const FAULTS = "test/pgTest/faults.integration.test.ts"
const KILLED = "leaves nothing after the next run"

export const testKitMutants: ReadonlyArray<Mutant> = [
  {
    what: "waits by the clock of a test for a server that does not answer",
    edits: [
      {
        file: "call/realTime.ts",
        find: "Effect.raceFirst(Effect.asSome(effect), Effect.as(passed(millis), Option.none()))",
        replace: "Effect.timeoutOption(effect, millis)"
      }
    ],
    test: "test/testClock.integration.test.ts",
    only: "connectTimeout"
  },
  {
    what: "drops the databases of tests that are running",
    edits: [{ file: "pgTest/run.ts", find: "locktype = 'advisory' AND", replace: "locktype = 'nothing' AND" }],
    test: PG_TEST,
    only: KILLED
  },
  {
    what: "leaves the databases of a run that was killed",
    edits: [{ file: "pgTest/run.ts", find: "    yield* dropLeftovers(run.admin)\n", replace: "" }],
    test: PG_TEST,
    only: KILLED
  },
  {
    what: "takes the databases of a run that lost its connection for left over",
    edits: [{ file: "pgTest/run.ts", find: "    minConnections: 1,\n", replace: "    minConnections: 0,\n" }],
    test: "test/pgTest/run.integration.test.ts",
    only: "although its own connection was lost"
  },
  {
    what: "lets a template be looked at, so that no database can be copied from it",
    edits: [{ file: "pgTest/databases.ts", find: "ALLOW_CONNECTIONS false", replace: "ALLOW_CONNECTIONS true" }],
    test: PG_TEST,
    only: "to which nobody can connect"
  },
  {
    what: "leaves a template of which a migration has failed",
    edits: [
      {
        file: "pgTest/databases.ts",
        find: "Effect.onError(Effect.andThen(filled, finish(run, unfinished, name)), () => Effect.ignore(dropped))",
        replace: "Effect.andThen(filled, finish(run, unfinished, name))"
      }
    ],
    test: PG_TEST,
    only: "does not come about if a migration fails"
  },
  {
    what: "commits a test that is to be rolled back",
    edits: [
      {
        file: "PgTest.ts",
        find: "Effect.flip(pg.withTransaction(undone))",
        replace: "Effect.flip(undone)"
      }
    ],
    test: "test/pgTest/rollback.integration.test.ts"
  },
  {
    what: "loses a COMMIT in place of its answer",
    edits: [
      {
        file: "pgTest/faults.ts",
        find: 'if (link === committing && from === "server")',
        replace: "if (link === committing)"
      },
      {
        file: "pgTest/faults.ts",
        find: "this.#proxy.onMessage = this.#commitLoss(link)",
        replace: "this.#happen(() => link.reset())"
      }
    ],
    test: FAULTS,
    only: "loseCommitAnswer"
  }
]
