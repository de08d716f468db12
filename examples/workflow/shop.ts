/**
 * The shop of `examples/workflow.ts`, as a process: `node shop.ts <order>` handles an order and ends. If it is killed,
 * start it again for the same order.
 */
import { NodeCrypto, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, References, Schema } from "effect"
import { ClusterSchema, ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
import { SqlClient } from "effect/sql"
import { Activity, Workflow } from "effect/workflow"
import { PgSqlClient } from "../../src/index.ts"

const Order = Workflow.make("Order", {
  payload: { id: Schema.String },
  idempotencyKey: ({ id }) => id
})

/** A step of the workflow, whose row and result are committed together: there is one row, however often it is begun. */
const step = (name: string, order: string) =>
  Activity.make({
    name,
    execute: Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Effect.orDie(sql`INSERT INTO steps ${sql.insert({ order, step: name, process: process.pid })}`)
      yield* Console.log(`${name}: begun`)
      yield* Effect.sleep("1 second")
      yield* Console.log(`${name}: done`)
    })
  }).annotate(ClusterSchema.WithTransaction, true)

const OrderLive = Order.toLayer(
  Effect.fn("Order")(function* ({ id }) {
    yield* step("charge", id)
    yield* step("pack", id)
    yield* step("ship", id)
  })
)

const Database = PgSqlClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

const Engine = ClusterWorkflowEngine.layer.pipe(
  Layer.provide(SingleRunner.layer({ shardingConfig: { shardsPerGroup: 10 } })),
  Layer.provide(NodeCrypto.layerDigest),
  Layer.provideMerge(Database)
)

// An order that has begun is not begun again: this waits for its end.
Order.execute({ id: process.argv[2] ?? "1" }).pipe(
  Effect.provide(Layer.provideMerge(OrderLive, Engine)),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
