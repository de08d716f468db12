import * as os from "node:os"
import { defineConfig } from "vitest/config"

const INTEGRATION = "test/**/*.integration.test.ts"
/** Examples that are tests themselves. */
const EXAMPLES = "examples/**/*.test.ts"

/**
 * Suites that take long: faults at every boundary, random programs, all that stands on `SqlClient`, the benchmark, and
 * whatever starts programs.
 */
const LONG = [
  "test/faults/**/*.test.ts",
  "test/failover/**/*.test.ts",
  "test/reads/**/*.integration.test.ts",
  "test/replication/**/*.integration.test.ts",
  "test/transactions/programs.integration.test.ts",
  "test/sqlClient/mixedPrograms.integration.test.ts",
  "test/session/statement/cachePrograms.integration.test.ts",
  "test/session/exchange/largeValues.integration.test.ts",
  "test/session/engine/end.integration.test.ts",
  "test/session/engine/interruption.integration.test.ts",
  "test/sqlClient/**/*.test.ts",
  "test/migrator/processes.integration.test.ts",
  "test/bench*.test.ts",
  "test/cluster/**/*.test.ts",
  "test/examples.integration.test.ts",
  "test/docs.integration.test.ts",
  "test/package.test.ts",
  "test/cli/**/*.integration.test.ts",
  "test/docstrings.test.ts",
  "test/editorHover.test.ts",
  "test/errorTypes.test.ts"
]

/** Many tests wait more than they work, so two run side by side even on two cores. */
const WORKERS = Math.max(2, os.availableParallelism() - 1)

const withServer = { globalSetup: ["test/support/globalSetup.ts"], testTimeout: 30_000, hookTimeout: 60_000 }

/**
 * Three projects, from the fastest to the slowest. `quick` is the loop while one works: it needs no PostgreSQL. The
 * other two share one server, which is started only if one of their tests is run.
 */
export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    projects: [
      {
        test: {
          name: "quick",
          include: ["test/**/*.test.ts"],
          exclude: [INTEGRATION, ...LONG],
          isolate: false,
          testTimeout: 30_000
        }
      },
      { test: { name: "integration", include: [INTEGRATION, EXAMPLES], exclude: LONG, ...withServer } },
      { test: { name: "long", include: LONG, ...withServer } }
    ]
  }
})
