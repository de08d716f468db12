/**
 * Shows what encryption costs: `node bench/tls.ts [rounds]` runs the same queries with and without TLS, by effectpg,
 * `@effect/sql-pg` and `pg`, on ten connections. They take turns. The embedded server supports TLS.
 */
import * as SqlPg from "@effect/sql-pg/PgConnection"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import pg from "pg"
import * as PgConnection from "../src/PgConnection.ts"
import { start } from "../test/support/postgres.ts"
import { compare, type Contender, effectLoop } from "./turns.ts"

const ROUNDS = Number(process.argv[2] ?? 9)
const CONNECTIONS = 10
const QUESTIONS = ["SELECT 1+1 AS sum", "SELECT i, 'row ' || i AS label FROM generate_series(1, 1000) AS i"]

const { host, port, user, password, database, ca, stop } = await start()
if (ca === undefined) throw new Error("the server's certificate is not known; leave EFFECTPG_TEST_URL unset")
const secret = Redacted.make(password)

type Ask = (sql: string) => Effect.Effect<unknown, unknown>

const ours = (isEncrypted: boolean): Effect.Effect<Ask, unknown, Scope.Scope> => {
  const encryption = isEncrypted
    ? ({ sslMode: "verify-ca", sslRootCert: ca } as const)
    : { sslMode: "disable" as const }
  return Effect.map(
    PgConnection.make({ host, port, user, password: secret, database, ...encryption }),
    (connection) => (sql) => connection.fetch(sql)
  )
}

const sqlPg = (isEncrypted: boolean): Effect.Effect<Ask, unknown, Scope.Scope> =>
  Effect.map(
    SqlPg.make({ host, port, username: user, password: secret, database, ssl: isEncrypted ? { ca } : false }),
    (connection) => (sql) => connection.query(sql)
  )

const nodePostgres = (isEncrypted: boolean): Effect.Effect<Ask, unknown, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new pg.Client({ host, port, user, password, database, ssl: isEncrypted ? { ca } : false })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  ).pipe(
    Effect.map(
      (client) => (sql) => Effect.promise(() => client.query({ name: String(QUESTIONS.indexOf(sql)), text: sql }))
    )
  )

const drivers = { effectpg: ours, "@effect/sql-pg": sqlPg, pg: nodePostgres }

const program: Effect.Effect<void, unknown, Scope.Scope> = Effect.gen(function* () {
  const asks: Array<{ readonly name: string; readonly connections: ReadonlyArray<Ask> }> = []
  for (const [driver, open] of Object.entries(drivers)) {
    for (const isEncrypted of [false, true]) {
      const connections = yield* Effect.forEach(Array.from({ length: CONNECTIONS }), () => open(isEncrypted))
      asks.push({ name: isEncrypted ? `${driver}, TLS` : driver, connections })
    }
  }
  for (const sql of QUESTIONS) {
    yield* Console.log(sql)
    const contenders = asks.map(({ name, connections }): Contender => ({
      name,
      loops: connections.map((ask) => effectLoop(ask(sql)))
    }))
    yield* compare(ROUNDS, contenders)
  }
})

await Effect.runPromise(Effect.scoped(program))
await stop()
