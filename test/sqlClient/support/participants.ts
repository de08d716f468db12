/**
 * The clients that the parity suite compares: each test of `test/sqlClient/` runs once for each of them.
 *
 * Where a participant is wrong, the test states the right answer and the wrong one side by side, as data, and the name
 * of the test says so.
 */
import { PgClient } from "@effect/sql-pg"
import { describe, layer, type Vitest } from "@effect/vitest"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import * as PgSqlClient from "../../../src/PgSqlClient.ts"
import { TestDatabase } from "../../support/database.ts"

export type Name = "@effect/sql-pg" | "effectpg"

/** What a test may ask of a client's configuration, in words that both participants translate into their own. */
export interface Settings {
  readonly maxConnections?: number
  /** How long a call waits for a connection, if the client has a bound: @effect/sql-pg has none. */
  readonly acquireTimeout?: Duration.Input
  /** The session's time zone; the server's own by default. */
  readonly timeZone?: string
  readonly transformResultNames?: (name: string) => string
  readonly transformQueryNames?: (name: string) => string
  readonly transformJson?: boolean
}

/** What a PostgreSQL client of Effect has beyond `SqlClient`. */
export interface Extras {
  readonly json: (value: unknown) => Statement.Fragment
  /** The notifications of a channel, each with at least `channel`, `payload` and `processId`. */
  readonly listen: (channel: string) => Effect.Effect<Queue.Dequeue<unknown, unknown>, SqlError.SqlError, Scope.Scope>
  readonly notify: (channel: string, payload: string) => Effect.Effect<void, SqlError.SqlError>
}

export interface Participant {
  readonly name: Name
  readonly layer: (url: Redacted.Redacted, settings: Settings) => Layer.Layer<SqlClient.SqlClient, SqlError.SqlError>
  /** A client whose address is in the configuration of the program, under that name. */
  readonly layerConfig: (name: string) => Layer.Layer<SqlClient.SqlClient, SqlError.SqlError | Config.ConfigError>
  /** The same client with what it has beyond `SqlClient`. */
  readonly extrasOf: (client: SqlClient.SqlClient) => Extras
}

const isSqlPg = (client: SqlClient.SqlClient): client is PgClient.PgClient => PgClient.TypeId in client

const sqlPg: Participant = {
  name: "@effect/sql-pg",
  layer: (url, { acquireTimeout: _, timeZone, ...settings }) =>
    PgClient.layer({ url, ...settings, ...(timeZone !== undefined && { startupParameters: { timezone: timeZone } }) }),
  layerConfig: (name) => PgClient.layerConfig({ url: Config.Redacted(name), maxConnections: Config.succeed(2) }),
  extrasOf: (client) => {
    if (isSqlPg(client)) return client
    throw new Error("the client is not one of @effect/sql-pg")
  }
}

const isOurs = (client: SqlClient.SqlClient): client is PgSqlClient.PgSqlClient => client.driver === "effectpg"

const ours: Participant = {
  name: "effectpg",
  layer: (url, { timeZone, ...settings }) =>
    PgSqlClient.layer({ url, ...settings, ...(timeZone !== undefined && { settings: { TimeZone: timeZone } }) }),
  layerConfig: (name) => PgSqlClient.layerConfig({ url: Config.Redacted(name), maxConnections: Config.succeed(2) }),
  extrasOf: (client) => {
    if (isOurs(client)) return client
    throw new Error("the client is not one of effectpg")
  }
}

export const participants: ReadonlyArray<Participant> = [sqlPg, ours]

/** A client of the participant for the database of the test file. */
export const clientOf = (
  participant: Participant,
  settings: Settings = {}
): Layer.Layer<SqlClient.SqlClient, SqlError.SqlError, TestDatabase> =>
  Layer.unwrap(Effect.map(TestDatabase, ({ url }) => participant.layer(Redacted.make(url), settings)))

export type Register = (it: Vitest.MethodsNonLive<SqlClient.SqlClient | TestDatabase>, participant: Participant) => void

/** Runs the tests that `register` adds once for each participant, each on a fresh database of its own. */
export const parity = (title: string, register: Register, settings?: Settings): void =>
  describe.each(participants)("$name", (participant) => {
    layer(Layer.provideMerge(clientOf(participant, settings), TestDatabase.layer), { excludeTestServices: true })(
      title,
      (it) => register(it, participant)
    )
  })

/** The right answer, and the answers of participants that are wrong. */
export type Answers<A> = { readonly right: A } & { readonly [name in Name]?: A }

/** What a participant answers: what is right, unless it is known to be wrong. */
export const answerOf = <A>(participant: Participant, answers: Answers<A>): A =>
  participant.name in answers ? (answers[participant.name] as A) : answers.right

/** The name of a test: the right behavior, and what a participant that is wrong does instead. */
export const named = (
  participant: Participant,
  behavior: string,
  wrong: { readonly [name in Name]?: string } = {}
): string => {
  const instead = wrong[participant.name]
  return instead === undefined ? behavior : `${behavior} (WRONG here: ${participant.name} ${instead})`
}
