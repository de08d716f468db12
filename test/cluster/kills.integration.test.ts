/**
 * Tests that a cluster of effect/cluster, whose messages and runners are stored through `PgSqlClient`, loses no message
 * and repeats none beyond its promises while its runners are killed. For a long run:
 *
 *   EFFECTPG_CLUSTER_SECONDS=600 EFFECTPG_CLUSTER_KILL_EVERY=30 npx vitest run test/cluster
 *
 * With EFFECTPG_CLUSTER_CLIENT=sql-pg the cluster runs on `@effect/sql-pg`, which shows whether a failure is effectpg's.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { scopedDatabase } from "../support/database.ts"
import { longRun, SENDERS } from "./longRun.ts"

const seconds = Number(process.env["EFFECTPG_CLUSTER_SECONDS"] ?? 20)
const killEverySeconds = Number(process.env["EFFECTPG_CLUSTER_KILL_EVERY"] ?? 6)
const TIMEOUT_MILLIS = (seconds + 120) * 1000

describe("a cluster whose runners are killed", () => {
  it.live(
    "handles every message, in a transaction exactly once, and leaves no connection",
    () =>
      Effect.gen(function* () {
        const { url } = yield* scopedDatabase
        process.env["DATABASE_URL"] = url
        const report = yield* longRun({ url, seconds, killEverySeconds })
        yield* Console.log(report)
        assert.isAbove(report.kills, 0)
        assert.isAtLeast(report.processes, 2)
        assert.isAbove(report.answered, SENDERS)
        assert.deepInclude(report, { unanswered: [], lost: 0, repeatedOnce: 0, unprocessed: 0, connectionsLeft: 0 })
        // A runner that is killed may have written the row of a message and not its reply.
        assert.isAtMost(report.repeatedAtLeastOnce, report.kills * SENDERS)
      }),
    TIMEOUT_MILLIS
  )
})
