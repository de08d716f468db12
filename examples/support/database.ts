/**
 * Makes an empty schema for an example, on the server of the tests (see `test/support/postgres.ts`), and drops it at
 * the end.
 */
import { Effect, type Scope } from "effect"
import { type PgConfig, PgConnection, type PgError } from "../../src/index.ts"
import { type PgServer, start } from "../../test/support/postgres.ts"

const SCHEMA = "effectpg_example"

/** The URL of the schema, until the scope closes. */
export const database: Effect.Effect<string, PgError.PgError, Scope.Scope> = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => start()),
    (server) => Effect.promise(server.stop)
  )
  const url = urlOf(server)
  yield* Effect.acquireRelease(
    script({ url }, `DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE; CREATE SCHEMA ${SCHEMA}`),
    () => Effect.ignore(script({ url }, `DROP SCHEMA ${SCHEMA} CASCADE`))
  )
  return url
})

const script = (settings: PgConfig.Settings, sql: string): Effect.Effect<void, PgError.PgError> =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(settings), (connection) => Effect.asVoid(connection.executeScript(sql)))
  )

const urlOf = ({ host, port, user, password, database }: PgServer): string => {
  const url = new URL(`postgres://${host}:${port}/${encodeURIComponent(database)}`)
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  url.searchParams.set("options", `-csearch_path=${SCHEMA}`)
  return url.href
}
