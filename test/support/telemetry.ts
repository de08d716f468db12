/** OpenTelemetry with exporters that keep what they receive: what a collector would get of a program. */
import * as OtelMetrics from "@effect/opentelemetry/OtelMetrics"
import * as OtelTracer from "@effect/opentelemetry/OtelTracer"
import * as Resource from "@effect/opentelemetry/Resource"
import type { HrTime } from "@opentelemetry/api"
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  type MetricData,
  PeriodicExportingMetricReader
} from "@opentelemetry/sdk-metrics"
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor
} from "@opentelemetry/sdk-trace-base"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

export interface Exported {
  readonly name: string
  /** 0 is internal, 2 is client. */
  readonly kind: number
  readonly id: string
  readonly parent: string | undefined
  readonly trace: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes?: unknown }>
  readonly status: number
  readonly millis: number
}

export interface Telemetry {
  /** Runs a program under the tracer, with metrics of its own. */
  readonly run: <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The spans that have ended, in the order of their ends, since this was last asked for. */
  readonly spans: Effect.Effect<ReadonlyArray<Exported>>
  readonly metrics: Effect.Effect<ReadonlyArray<MetricData>>
}

const millisOf = ([seconds, nanos]: HrTime): number => seconds * 1_000 + nanos / 1_000_000

const exported = (span: ReadableSpan): Exported => ({
  name: span.name,
  kind: span.kind,
  id: span.spanContext().spanId,
  parent: span.parentSpanContext?.spanId,
  trace: span.spanContext().traceId,
  attributes: span.attributes,
  events: span.events,
  status: span.status.code,
  millis: millisOf(span.duration)
})

export const telemetry: Effect.Effect<Telemetry> = Effect.sync(() => {
  const spans = new InMemorySpanExporter()
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const tracer = OtelTracer.layer.pipe(Layer.provide(Layer.succeed(OtelTracer.OtelTracerProvider, provider)))
  const registry = new Map()
  return {
    run: (program) => program.pipe(Effect.provide(tracer), Effect.provideService(Metric.MetricRegistry, registry)),
    spans: Effect.promise(() => provider.forceFlush()).pipe(
      Effect.map(() => {
        const ended = spans.getFinishedSpans().map(exported)
        spans.reset()
        return ended
      })
    ),
    metrics: Effect.gen(function* () {
      const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 1_000_000 })
      reader.setMetricProducer(yield* OtelMetrics.makeProducer())
      yield* Effect.promise(() => reader.forceFlush())
      const all =
        metrics
          .getMetrics()
          .at(-1)
          ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
      metrics.reset()
      return all
    }).pipe(Effect.provide(Resource.layerEmpty), Effect.provideService(Metric.MetricRegistry, registry))
  }
})
