/** Mutants that apply a migration twice, in part, or behind another runner's back. */
import type { Mutant } from "./mutants.ts"

const LOCK = "test/migrator/lock.integration.test.ts"
const RUN = "test/migrator/run.integration.test.ts"
const FAILURES = "test/migrator/failures.integration.test.ts"

export const migratorMutants: ReadonlyArray<Mutant> = [
  {
    what: "lets the server wait for the lock of the migrations",
    edits: [
      {
        file: "migrator/runnerLock.ts",
        find: "SELECT pg_catalog.pg_try_advisory_xact_lock(${literal(key)}) AS granted",
        replace: "SELECT true AS granted FROM pg_catalog.pg_advisory_xact_lock(${literal(key)})"
      }
    ],
    test: LOCK,
    only: "wait outside of the server"
  },
  {
    what: "applies a migration without looking again when it has the lock",
    edits: [
      {
        file: "migrator/step.ts",
        find: 'if (!pending.includes(migration)) return "gone"',
        replace: 'if (pending.length === -1) return "gone"'
      }
    ],
    test: LOCK
  },
  {
    what: "keeps the lock of a migration without a transaction",
    edits: [
      {
        file: "migrator/runnerLock.ts",
        find: "return Effect.onExit(performed, () => release)",
        replace: "return Effect.tap(performed, release)"
      }
    ],
    test: LOCK,
    only: "give the session back"
  },
  {
    what: "records a migration that hides a failed statement",
    edits: [
      {
        file: "migrator/step.ts",
        find: "const after = yield* Effect.mapError(restored(query, before), (cause) => hidden(step, cause))",
        replace: "const after = before.transaction"
      }
    ],
    test: RUN,
    only: "hide that a statement failed"
  },
  {
    what: "does not compare the texts of SQL files",
    edits: [
      {
        file: "migrator/plan.ts",
        find: 'migration.sqlFile.checksum === checksum ? "applied" : "changed"',
        replace: '"applied"'
      }
    ],
    test: FAILURES
  }
]
