/**
 * Shows how much code one warm query of one row runs: `node bench/scripts/queryPath.ts [--list]` counts the functions
 * and files of effectpg that V8 has run, on a connection, on a pool and inside of a transaction. For comparison it also
 * counts those of `@effect/sql-pg` and `pg`. With `--list` it names each function of effectpg, by file.
 */
import * as SqlPg from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Session } from "node:inspector/promises"
import pg from "pg"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgPool from "../../src/PgPool.ts"
import { type PgServer, start } from "../../test/support/postgres.ts"

const SQL = "SELECT 1+1 AS sum"
/** After this many queries the statement is cached and its row reader is compiled. */
const WARM_UP = 2_000

interface Path {
  readonly name: string
  /** Matches the files that are counted. */
  readonly within: RegExp
  /** Makes the call anew each time, so that the code that makes it is counted too. */
  readonly query: () => Effect.Effect<unknown, unknown>
}

interface Visit {
  readonly file: string
  readonly functions: ReadonlyArray<string>
}

const coverageOf = ({ query, within }: Path): Effect.Effect<ReadonlyArray<Visit>, unknown> =>
  Effect.gen(function* () {
    for (let run = 0; run < WARM_UP; run++) yield* query()
    const inspector = new Session()
    inspector.connect()
    yield* Effect.promise(() => inspector.post("Profiler.enable"))
    yield* Effect.promise(() => inspector.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false }))
    yield* query()
    const { result } = yield* Effect.promise(() => inspector.post("Profiler.takePreciseCoverage"))
    inspector.disconnect()
    return result
      .filter(({ url }) => within.test(url))
      .map(({ functions, url }) => ({
        file: url.replace(/^.*?\/(src|node_modules)\//, ""),
        functions: functions
          .filter(({ ranges }) => ranges.some(({ count }) => count > 0))
          .map(({ functionName }) => functionName || "(anonymous)")
      }))
      .filter(({ functions }) => functions.length > 0)
      .toSorted((a, b) => a.file.localeCompare(b.file))
  })

const OURS = /^file:.*\/src\/(?!.*node_modules)/

const paths = (server: PgServer): Effect.Effect<ReadonlyArray<Path>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { database, host, password, port, user } = server
    const settings = { host, port, user, database, password: Redacted.make(password) }
    const connection = yield* PgConnection.make(settings)
    const pool = yield* PgPool.make({ ...settings, maxConnections: 1 })
    const sqlPg = yield* SqlPg.make({ host, port, username: user, database, password: settings.password })
    const client = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const made = new pg.Client({ host, port, user, database, password })
        await made.connect()
        return made
      }),
      (made) => Effect.promise(() => made.end())
    )
    return [
      { name: "effectpg, a connection", within: OURS, query: () => connection.fetch(SQL) },
      { name: "effectpg, a pool", within: OURS, query: () => pool.fetch(SQL) },
      { name: "@effect/sql-pg, a connection", within: /@effect\/sql-pg/, query: () => sqlPg.query(SQL) },
      {
        name: "pg, a client",
        within: /node_modules\/(pg|pg-protocol|pg-types|pg-pool)\//,
        query: () => Effect.promise(() => client.query({ name: "sum", text: SQL }))
      }
    ]
  })

const program = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => start()),
    (started) => Effect.promise(() => started.stop())
  )
  for (const path of yield* paths(server)) {
    const visits = yield* coverageOf(path)
    const functions = visits.reduce((sum, visit) => sum + visit.functions.length, 0)
    console.log(`${path.name}: ${functions} functions in ${visits.length} files`)
    if (process.argv.includes("--list") && path.within === OURS) {
      for (const visit of visits) console.log(`  ${visit.file}: ${visit.functions.join(", ")}`)
    }
  }
}).pipe(Effect.scoped)

await Effect.runPromise(program)
