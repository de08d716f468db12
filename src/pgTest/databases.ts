/**
 * The databases of a run of tests. The migrations run once, in a template that the databases are copied from. The name of
 * a template is made of the content of its migrations, so that the processes of a run share it, and other migrations have
 * another one.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Loader, MigrationError, ResolvedMigration } from "effect/sql/Migrator"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { createHash, randomBytes } from "node:crypto"
import { isSqlMigration } from "../migrator/sqlFile.ts"
import type * as PgClient from "../PgClient.ts"
import type * as PgConfig from "../PgConfig.ts"
import type * as PgError from "../PgError.ts"
import * as PgMigrator from "../PgMigrator.ts"
import * as PgSqlClient from "../PgSqlClient.ts"
import { type TestServer, TestServerError } from "../testServer/server.ts"
import type { Run } from "./run.ts"

/** The services of a database. */
export type Clients = PgClient.PgClient | SqlClient.SqlClient | PgSqlClient.PgSqlClient

/** What is in a template. */
export interface Content<R, E, R2> {
  readonly migrations?: Loader<R> | undefined
  readonly setup?: Effect.Effect<unknown, E, R2> | undefined
}

/** How to reach the database of a test. */
export interface Address {
  readonly name: string
  readonly url: Redacted.Redacted<string>
  readonly settings: PgConfig.Settings
  readonly server: TestServer["kind"]
}

type Failure<E> = E | TestServerError | PgError.PgError | SqlError | MigrationError

/** Makes a database with that content until the scope closes. */
export const makeDatabase = <R, E, R2>(
  run: Run,
  content: Content<R, E, R2>
): Effect.Effect<Address, Failure<E>, Scope.Scope | R | Exclude<R2, Clients>> =>
  Effect.gen(function* () {
    const template = yield* templateOf(run, content)
    const name = run.prefix + randomBytes(6).toString("hex")
    yield* Effect.acquireRelease(
      run.admin.execute(`CREATE DATABASE ${name} TEMPLATE ${template}${run.strategy}`),
      // What cannot be dropped now is dropped at the end of the run.
      () => Effect.ignore(run.admin.execute(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`, [], IN_TIME))
    )
    return addressOf(run, name)
  })

/** If the server has gone, a test need not wait for it at its end. */
const IN_TIME = { timeout: 10_000 }

const addressOf = ({ server }: Run, name: string): Address => ({
  name,
  url: Redacted.make(urlTo(Redacted.value(server.url), name)),
  settings: { ...server.settings, database: name },
  server: server.kind
})

/** The URL, or the string of keys, with another database. */
const urlTo = (given: string, database: string): string => {
  const parts = URL_PARTS.exec(given.trim())
  // The last of a repeated key wins.
  if (parts === null) return `${given} dbname=${database}`
  const [, server = "", parameters = ""] = parts
  const others = parameters.split("&").filter((pair) => pair !== "" && !DATABASE_PARAMETER.test(pair))
  return `${server}/${database}${others.length === 0 ? "" : `?${others.join("&")}`}`
}

/** Everything before the database, and the parameters. */
const URL_PARTS = /^([^:/]+:\/\/[^/?]*)(?:\/[^?]*)?(?:\?(.*))?$/s
/** It would count more than the database in the path. */
const DATABASE_PARAMETER = /^(?:dbname|database)=/

/** The name of a template with that content, which is made if it is not there. */
const templateOf = <R, E, R2>(
  run: Run,
  { migrations, setup }: Content<R, E, R2>
): Effect.Effect<string, Failure<E>, R | Exclude<R2, Clients>> =>
  Effect.gen(function* () {
    if (migrations === undefined && setup === undefined) return EMPTY
    const loaded = migrations === undefined ? [] : yield* migrations
    const parts = [...loaded.map(contentOf(migrations)), setup === undefined ? "" : identityOf(setup)]
    const name = `${run.prefix}t${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12)}`
    const fill = Effect.gen(function* () {
      if (migrations !== undefined) yield* PgMigrator.run({ loader: Effect.succeed(loaded) })
      if (setup !== undefined) yield* setup
    })
    const known = Effect.suspend(() => (run.templates.has(name) ? Effect.void : makeTemplate(run, name, fill)))
    yield* run.templating.withPermit(known)
    return name
  })

/** It is as empty as the server can make it, and nobody can connect to it. */
const EMPTY = "template0"

const makeTemplate = <E, R>(
  run: Run,
  name: string,
  fill: Effect.Effect<unknown, E, R>
): Effect.Effect<void, Failure<E>, Exclude<R, Clients>> => {
  const unfinished = `${name}_unfinished`
  const dropped = run.admin.execute(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`)
  const made = Effect.gen(function* () {
    const found = yield* run.admin.fetchRow("SELECT FROM pg_catalog.pg_database WHERE datname = $1", [name])
    if (found._tag === "Some") return
    // A process of the same run that was killed may have left it.
    yield* dropped
    yield* run.admin.execute(`CREATE DATABASE ${unfinished} TEMPLATE ${EMPTY}${run.strategy}`)
    const filled = Effect.provide(fill, PgSqlClient.layer(addressOf(run, unfinished).settings), { local: true })
    yield* Effect.onError(Effect.andThen(filled, finish(run, unfinished, name)), () => Effect.ignore(dropped))
  })
  // Other processes of the run wait for the same template.
  return Effect.andThen(
    run.admin.withAdvisoryLock(lockOf(name), made),
    Effect.sync(() => void run.templates.add(name))
  )
}

/** Nobody may connect to a template: the server copies no database to which somebody is connected. */
const finish = (
  { admin }: Run,
  unfinished: string,
  name: string
): Effect.Effect<unknown, TestServerError | PgError.PgError> =>
  Effect.andThen(
    admin.execute(`ALTER DATABASE ${unfinished} ALLOW_CONNECTIONS false`),
    Effect.catchTag(
      admin.execute(`ALTER DATABASE ${unfinished} RENAME TO ${name}`),
      "ObjectInUseError",
      (cause: PgError.PgError) =>
        Effect.flatMap(
          admin.fetch("SELECT application_name AS name FROM pg_catalog.pg_stat_activity WHERE datname = $1", [
            unfinished
          ]),
          (users) => Effect.fail(inUse(users.map(({ name }) => JSON.stringify(name)).join(", "), cause))
        )
    )
  )

const inUse = (users: string, cause: PgError.PgError): TestServerError =>
  new TestServerError({
    message:
      `setup or a migration has left a connection to its database open, and such a database cannot be copied for the ` +
      `tests. Close the connection before setup ends. Its application_name is: ${users}`,
    cause
  })

const lockOf = (name: string): bigint => createHash("sha256").update(name).digest().readBigInt64BE()

// ------------------------------------------------------------------------------------------------- content

/** What tells a migration from another one: its text, or who it is if it is an Effect. */
const contentOf =
  (loader: unknown) =>
  (migration: ResolvedMigration): string => {
    const [id, name] = migration
    return `${id}_${name} ${isSqlMigration(migration) ? migration.sqlFile.checksum : identityOf(loader)}`
  }

const identities = new WeakMap<object, string>()

/** Code cannot be compared, so it is known by its identity, in this process. */
const identityOf = (code: unknown): string => {
  if (typeof code !== "object" || code === null) return String(code)
  const known = identities.get(code) ?? randomBytes(8).toString("hex")
  identities.set(code, known)
  return known
}
