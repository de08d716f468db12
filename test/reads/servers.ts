/** A client with a pool for reads on a real primary with two standbys, and which of these servers has answered. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as PgClient from "../../src/PgClient.ts"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import { type Cluster, Servers } from "../failover/rig/cluster.ts"

/** The address of the server that answers. */
export const WHERE = "SELECT pg_catalog.host(pg_catalog.inet_server_addr())"

export const PRIMARY = "primary"
export const STANDBY = "standby"
export type Kind = typeof PRIMARY | typeof STANDBY

/** The servers on which the tests of a file run, of which the first is the primary. */
export const kindOf = (address: unknown): Effect.Effect<Kind, never, Servers> =>
  Effect.map(Servers, ({ nodes }) => (String(address) === nodes[0].host ? PRIMARY : STANDBY))

/** Which kind of server answers a call that fetches a value. */
export const where = (
  queryable: PgConnection.Queryable,
  options?: PgConnection.ValueOptions
): Effect.Effect<Kind, PgError.PgError, Servers> =>
  Effect.flatMap(queryable.fetchValue(WHERE, undefined, options), (value) => kindOf(Option.getOrThrow(value)))

/** A client whose hosts are all servers. */
export const clientOf = (
  reads: PgClient.ReadsSettings = {},
  settings: PgClient.Settings = {}
): Effect.Effect<PgClient.PgClient, PgError.PgError, Servers | Scope.Scope> =>
  Effect.flatMap(Servers, (servers) => PgClient.make({ ...servers.settings, ...settings, reads }))

/** Does something to the servers. */
export const onServers = <A>(use: (servers: Cluster) => Promise<A>): Effect.Effect<A, never, Servers> =>
  Effect.flatMap(Servers, (servers) => Effect.promise(() => use(servers)))

/** Runs a statement on the primary, and waits until the standbys have it. */
export const everywhere = (sql: string): Effect.Effect<void, never, Servers> =>
  onServers(async (servers) => {
    await (await servers.primary()).query(sql)
    await servers.untilReplayed()
  })
