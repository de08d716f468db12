/**
 * A server of its own for the tests of replication, with `wal_level = logical`: `layer(Source.layer, { excludeTestServices:
 * true })("...", (it) => ...)`. Each test makes its tables, publication and slot.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { type EmbeddedPgServer, startEmbedded } from "../support/server/embedded.ts"

export const LOGICAL = {
  wal_level: "logical",
  max_replication_slots: "40",
  max_wal_senders: "40",
  wal_sender_timeout: "5s"
} as const

/** A server, and how to connect to it. */
export interface SourceServer {
  readonly server: EmbeddedPgServer
  readonly settings: PgConfig.Settings
}

export const settingsOf = ({ database, host, password, port, user }: EmbeddedPgServer): PgConfig.Settings => ({
  host,
  port,
  user,
  password: Redacted.make(password),
  database,
  sslMode: "disable"
})

export const sourceServer = (
  settings: Readonly<Record<string, string>> = {}
): Effect.Effect<SourceServer, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => startEmbedded({ settings: { ...LOGICAL, ...settings } })),
      (server) => Effect.promise(server.stop)
    ),
    (server) => ({ server, settings: settingsOf(server) })
  )

export class Source extends Context.Service<Source, SourceServer>()("effectpg/test/replication/Source") {
  static readonly layer: Layer.Layer<Source> = Layer.effect(Source, sourceServer())
}

/** A connection to the server, outside of replication. */
export const sourceConnection: Effect.Effect<PgConnection.PgConnection, PgError.PgError, Source | Scope.Scope> =
  Effect.flatMap(Source, ({ settings }) => PgConnection.make(settings))

/** A schema of tables with a publication and a slot of the same name, all dropped at the end. */
export interface Published {
  readonly pg: PgConnection.PgConnection
  readonly name: string
  readonly settings: PgConfig.Settings
  readonly options: {
    readonly connection: PgConfig.Settings
    readonly slot: string
    readonly publications: ReadonlyArray<string>
  }
}

/** Makes tables by a script, in which `$` stands for the schema, and publishes them. */
export const published = (
  script: string,
  { slot = true, publication = "FOR TABLES IN SCHEMA $" }: { slot?: boolean; publication?: string } = {}
): Effect.Effect<Published, PgError.PgError, Source | Scope.Scope> =>
  Effect.gen(function* () {
    const { settings } = yield* Source
    const pg = yield* sourceConnection
    const name = `t_${randomBytes(6).toString("hex")}`
    yield* pg.executeScript(`CREATE SCHEMA ${name}; ${script.replaceAll("$", name)}`)
    yield* pg.execute(`CREATE PUBLICATION ${name} ${publication.replaceAll("$", name)}`)
    yield* Effect.addFinalizer(() =>
      Effect.ignore(pg.executeScript(`DROP PUBLICATION IF EXISTS ${name}; DROP SCHEMA ${name} CASCADE`))
    )
    if (slot) {
      yield* Effect.scoped(PgReplication.createSlot(settings, { slot: name }))
      yield* Effect.addFinalizer(() => Effect.ignore(PgReplication.dropSlot(settings, name)))
    }
    return { pg, name, settings, options: { connection: settings, slot: name, publications: [name] } }
  })

/** The first transactions of a stream, with all their changes. */
export const taken = <T extends PgReplication.Tables>(
  stream: Stream.Stream<PgReplication.Transaction<T>, PgError.PgError>,
  count: number
) =>
  Stream.runCollect(
    stream.pipe(
      Stream.take(count),
      Stream.mapEffect((transaction) =>
        Effect.gen(function* () {
          const changes = yield* transaction.allChanges
          const endLsn = yield* transaction.endLsn
          yield* transaction.acknowledge
          return { ...transaction, changes, endLsn }
        })
      )
    )
  )

/** Whether something reads from a slot. */
export const isActive = (pg: PgConnection.Queryable, slot: string): Effect.Effect<unknown, PgError.PgError> =>
  Effect.map(PgReplication.slots(pg), (slots) => slots.find((each) => each.slot === slot)?.active)
