/** The database that is asked about statements: one that is there, or a scratch database built from migrations. */
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../../PgConfig.ts"
import * as PgConnection from "../../PgConnection.ts"
import type * as PgError from "../../PgError.ts"
import * as PgMigrator from "../../PgMigrator.ts"
import * as PgSqlClient from "../../PgSqlClient.ts"
import { testServer, type TestServerError } from "../../testServer/server.ts"
import { settingsOf } from "../terminal/database.ts"
import { type CliFailure, failure, misuse } from "../terminal/failure.ts"

const NO_DATABASE =
  "There is no database to ask. Give --url, or --migrations to build a scratch database, or set DATABASE_URL."

export interface Wanted {
  readonly url: Option.Option<Redacted.Redacted>
  /** The directory of the migrations. */
  readonly migrations: string | undefined
}

type Services = FileSystem.FileSystem | Path.Path | Scope.Scope

/** `--url` comes first, then the migrations, then the environment. */
export const databaseFor = ({
  migrations,
  url
}: Wanted): Effect.Effect<PgConfig.Settings, CliFailure | PgError.PgError | TestServerError, Services> => {
  if (Option.isSome(url)) return Effect.succeed(settingsOf(url))
  if (migrations !== undefined) return scratchDatabase(migrations)
  const { env } = process
  return env["DATABASE_URL"] || env["PGHOST"] || env["PGSERVICE"]
    ? Effect.succeed(settingsOf(url))
    : Effect.fail(misuse(NO_DATABASE))
}

/** A new database with nothing but the migrations, for the scope. */
const scratchDatabase = (
  migrations: string
): Effect.Effect<PgConfig.Settings, CliFailure | PgError.PgError | TestServerError, Services> =>
  Effect.gen(function* () {
    const server = yield* testServer()
    const database = `effectpg_${crypto.randomUUID().replaceAll("-", "")}`
    const administration = yield* PgConnection.make(server.settings)
    yield* Effect.acquireRelease(administration.execute(`CREATE DATABASE ${database}`), () =>
      Effect.ignore(administration.execute(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`))
    )
    const url = new URL(Redacted.value(server.url))
    url.pathname = `/${database}`
    const settings = { ...server.settings, url: Redacted.make(url.href) }
    yield* PgMigrator.run({ loader: PgMigrator.fromDirectory(path.resolve(migrations)) }).pipe(
      Effect.provide(PgSqlClient.layer(settings)),
      Effect.mapError((error) => failure(`The migrations in ${migrations} cannot be applied.\n${error.message}`))
    )
    return settings
  })
