/**
 * The metrics of operations, transactions and statements. Their names are those of OpenTelemetry's conventions for
 * database clients; what these do not have begins with `effectpg`.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as PgError from "../../PgError.ts"
import type { StatementCounter } from "../statement/statementCache.ts"
import type { Summary } from "./summary.ts"
import type { Target } from "./target.ts"

/** The boundaries of histograms of seconds, as the conventions advise. */
export const BOUNDARIES = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

const operationDuration = Metric.histogram("db.client.operation.duration", {
  description: "Duration of database client operations, in seconds",
  boundaries: BOUNDARIES
})
const transactionRetries = Metric.counter("effectpg.transaction.retries", {
  description: "Transactions that were run again, because of a serialization failure or a deadlock",
  incremental: true
})
const cacheHits = Metric.counter("effectpg.statement_cache.hits", {
  description: "Runs of a statement that the connection had prepared before",
  incremental: true
})
const cacheMisses = Metric.counter("effectpg.statement_cache.misses", {
  description: "Runs of a statement that the connection had to prepare first",
  incremental: true
})

/** Measures operations of one database. */
export class OperationMetrics {
  private readonly common: Readonly<Record<string, string>>
  /** The metric for each summary and error. */
  private readonly durations = new Map<string, typeof operationDuration>()

  constructor({ address, database, port }: Target) {
    this.common = {
      "db.system.name": "postgresql",
      "db.namespace": database,
      "server.address": address,
      ...(port === undefined ? {} : { "server.port": String(port) })
    }
  }

  ended(summary: Summary, error: PgError.PgError | undefined, millis: number): Effect.Effect<void> {
    return Metric.update(this.durationOf(summary, error), millis / 1000)
  }

  retried(error: PgError.PgError): Effect.Effect<void> {
    return Metric.update(Metric.withAttributes(transactionRetries, { ...this.common, "error.type": error._tag }), 1)
  }

  /** A program that builds its SQL has many summaries, and every metric stays: after some, commands must do. */
  private durationOf(summary: Summary, error: PgError.PgError | undefined): typeof operationDuration {
    const key = `${summary.text} ${error?._tag}`
    const kept = this.durations.get(key)
    if (kept !== undefined) return kept
    if (this.durations.size < MAX_SUMMARIES) {
      const made = this.made(summary, error)
      this.durations.set(key, made)
      return made
    }
    return this.made({ ...summary, text: undefined, collection: undefined }, error)
  }

  private made({ collection, operation, text }: Summary, error: PgError.PgError | undefined): typeof operationDuration {
    return Metric.withAttributes(operationDuration, {
      ...this.common,
      ...present("db.operation.name", operation),
      ...present("db.query.summary", text),
      ...present("db.collection.name", collection),
      ...present("error.type", error?._tag),
      ...SECONDS
    })
  }
}

const MAX_SUMMARIES = 500

/** `@effect/opentelemetry` takes the unit of a metric from this attribute. */
export const SECONDS = { unit: "s" }

const present = (key: string, value: string | undefined): Readonly<Record<string, string>> =>
  value === undefined ? {} : { [key]: value }

/** Counts what a session finds in its cache of statements. */
export const statementCounter = (database: string, context: Context.Context<never>): StatementCounter => {
  const attributes = { "db.system.name": "postgresql", "db.namespace": database }
  const hits = Metric.withAttributes(cacheHits, attributes)
  const misses = Metric.withAttributes(cacheMisses, attributes)
  return {
    found: () => hits.updateUnsafe(1, context),
    missed: () => misses.updateUnsafe(1, context)
  }
}
