/** The entity of the long run, and the layer of a cluster that notices a dead runner within seconds. */
import { NodeClusterSocket } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import * as Config from "effect/Config"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ClusterSchema, Entity, RunnerAddress } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { PgSqlClient } from "../../src/index.ts"

const SHARDS = 100

const payload = { id: Schema.String }

/** Two kinds of persisted messages, whose handlers both write a row. A message is known by its id. */
export const Account = Entity.make("Account", [
  // The reply is stored after the row: the message is handled again if the runner dies in between.
  Rpc.make("AtLeastOnce", { payload, primaryKey: ({ id }) => id }).annotate(ClusterSchema.Persisted, true),
  // The row and the reply are written in one transaction.
  Rpc.make("Once", { payload, primaryKey: ({ id }) => id })
    .annotate(ClusterSchema.Persisted, true)
    .annotate(ClusterSchema.WithTransaction, true)
])

/** The application name of a runner's connections. */
export const RUNNER_NAME = "cluster runner"

/**
 * The database, whose URL is in DATABASE_URL. With EFFECTPG_CLUSTER_CLIENT=sql-pg it is reached by `@effect/sql-pg`, which
 * shows whether a failure is effectpg's.
 */
const database = (applicationName: string) => {
  const settings = { url: Config.Redacted("DATABASE_URL"), applicationName: Config.succeed(applicationName) }
  return process.env["EFFECTPG_CLUSTER_CLIENT"] === "sql-pg"
    ? Layer.orDie(PgClient.layerConfig(settings))
    : Layer.orDie(PgSqlClient.layerConfig(settings))
}

/** A runner that listens on that port of this machine, or a client that only sends. */
export const cluster = <const ClientOnly extends boolean>(clientOnly: ClientOnly, port: number) =>
  NodeClusterSocket.layer({
    clientOnly,
    shardingConfig: {
      runnerAddress: clientOnly ? Option.none() : Option.some(RunnerAddress.make("127.0.0.1", port)),
      shardsPerGroup: SHARDS,
      // All locks of a runner are held by one connection. A third of the expiration is what a busy machine may take to
      // release half of them; if it takes longer, the cluster gives up the connection, and with it all locks.
      shardLockRefreshInterval: "3 seconds",
      shardLockExpiration: "9 seconds",
      runnerHealthCheckInterval: "1 second",
      refreshAssignmentsInterval: "500 millis",
      entityMessagePollInterval: "500 millis",
      entityReplyPollInterval: "100 millis"
    }
  }).pipe(Layer.provideMerge(database(clientOnly ? "cluster client" : RUNNER_NAME)))
