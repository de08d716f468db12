/** Records a pool's activity as metrics, under OpenTelemetry's names for connection pools. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** What a pool is doing at a moment. */
export interface PoolCounts {
  /** How many sessions are open, idle or not. */
  readonly size: number
  readonly idle: number
  readonly connecting: number
  readonly waiting: number
}

const connections = Metric.gauge("db.client.connection.count", {
  description: "Connections of a pool that are open, by state: idle or used"
})
const pending = Metric.gauge("db.client.connection.pending_requests", {
  description: "Calls that wait for a connection of a pool"
})
const timeouts = Metric.counter("db.client.connection.timeouts", {
  description: "Calls that timed out while waiting for a connection of the pool",
  incremental: true
})

/** Receives every change in a pool. */
export interface PoolMeter {
  readonly changed: (counts: PoolCounts) => void
  readonly timedOut: () => void
}

/** Creates the meter of the pool with that name. */
export const make = (name: string): Effect.Effect<PoolMeter> =>
  Effect.map(Effect.context<never>(), (context: Context.Context<never>) => {
    const attributes = { "db.client.connection.pool.name": name }
    const idle = Metric.withAttributes(connections, { ...attributes, "db.client.connection.state": "idle" })
    const used = Metric.withAttributes(connections, { ...attributes, "db.client.connection.state": "used" })
    const waiting = Metric.withAttributes(pending, attributes)
    const late = Metric.withAttributes(timeouts, attributes)
    return {
      changed: (counts) => {
        idle.updateUnsafe(counts.idle, context)
        used.updateUnsafe(counts.size - counts.idle, context)
        waiting.updateUnsafe(counts.waiting, context)
      },
      timedOut: () => late.updateUnsafe(1, context)
    }
  })
