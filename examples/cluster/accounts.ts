/** What the runners and the clients of `examples/cluster.ts` have in common: the entity, and how the cluster is set up. */
import { NodeClusterSocket } from "@effect/platform-node"
import { Config, Layer, Option, Schema } from "effect"
import { ClusterSchema, Entity, RunnerAddress } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { PgSqlClient } from "../../src/index.ts"

export const SHARDS = 20

/**
 * An account. A deposit is stored before it is handled, and a deposit with the same id is the same deposit. What its
 * handler writes is committed together with its reply: it takes effect once.
 */
export const Account = Entity.make("Account", [
  Rpc.make("Deposit", { payload: { id: Schema.Int, amount: Schema.Int }, primaryKey: ({ id }) => `${id}` })
    .annotate(ClusterSchema.Persisted, true)
    .annotate(ClusterSchema.WithTransaction, true)
])

/** The cluster for a runner that listens on a port of this machine, or for a client, which has none. */
export const cluster = (name: string, port: Option.Option<number>) =>
  NodeClusterSocket.layer({
    clientOnly: Option.isNone(port),
    shardingConfig: {
      runnerAddress: Option.map(port, (port) => RunnerAddress.make("127.0.0.1", port)),
      shardsPerGroup: SHARDS,
      // By default it may take a minute until a dead runner is noticed. Here it takes seconds.
      runnerHealthCheckInterval: "1 second",
      refreshAssignmentsInterval: "1 second",
      shardLockRefreshInterval: "2 seconds",
      shardLockExpiration: "6 seconds"
    }
  }).pipe(Layer.provideMerge(PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL"), applicationName: name })))
