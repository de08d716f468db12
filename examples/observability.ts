/** Shows what a tracer and a metrics backend receive, with exporters that print instead of sending. */
import { NodeRuntime } from "@effect/platform-node"
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Metric } from "effect"
import { PgConfig, PgPool } from "../src/index.ts"
import { database } from "./support/database.ts"
import { chapter, say } from "./support/print.ts"

// #region tracer
const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
// A program that sends its telemetry uses NodeSdk.layer of @effect/opentelemetry instead.
const Tracing = OtelTracer.layer.pipe(Layer.provide(Layer.succeed(OtelTracer.OtelTracerProvider, provider)))
// #endregion tracer

const program = Effect.gen(function* () {
  const url = yield* database
  // #region settings
  const pool = yield* PgPool.make({
    url,
    metrics: true,
    slowQueryThreshold: "1 second",
    comment: PgConfig.traceComment
  })
  // #endregion settings

  yield* pool.execute("CREATE TABLE books (title text)")
  yield* pool
    .withTransaction(
      Effect.gen(function* () {
        yield* pool.execute("INSERT INTO books VALUES ($1)", ["Kindred"])
        yield* pool.fetch("SELECT title FROM books WHERE title = $1", ["Kindred"])
      })
    )
    .pipe(Effect.withSpan("add a book"))

  yield* say("What an exporter of OpenTelemetry receives:")
  yield* chapter("Spans")
  for (const span of exporter.getFinishedSpans()) yield* say(span.name)

  yield* chapter("Metrics")
  const names = (yield* Metric.snapshot).map(({ id }) => id)
  for (const name of [...new Set(names)].toSorted()) yield* say(name)
})

program.pipe(Effect.scoped, Effect.provide(Tracing), NodeRuntime.runMain)
