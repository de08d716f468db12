/** Copies a table or a query out, as a stream of bytes or rows. The server sends no faster than the stream is read. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ObjectRow } from "../../codec/rowReader.ts"
import type * as PgCopy from "../../PgCopy.ts"
import * as PgError from "../../PgError.ts"
import { copyOut as copyOutRequest } from "../../session/request/copyRequest.ts"
import type { Collector, CopyOut, CopyText } from "../../session/exchange/copyOutExchange.ts"
import { serverVersionOf } from "../../wire/serverVersion.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import { BytesCollector, RowsCollector } from "./copySink.ts"
import { description, inBinary, type Interpolated, selectFrom, withLiterals } from "./copySource.ts"
import { copyOutStatement } from "./copyStatement.ts"
import { answerOf } from "../../call/shape.ts"
import { withTimeout } from "../../call/timeout.ts"
import type { Router } from "../router.ts"

export const copyBytesOut = (
  router: Router,
  source: PgCopy.Source,
  options: PgCopy.OutOptions
): Stream.Stream<Uint8Array, PgError.PgError> =>
  begun(
    "copyOut",
    options,
    Effect.gen(function* () {
      const level = yield* router.scopedLevel
      const { sent, told } = yield* withLiterals(level, source)
      const version = serverVersionOf(level.session.parameters)
      const text = yield* Effect.all({
        sent: copyOutStatement(sent, options, version),
        told: copyOutStatement(told, options, version)
      })
      return yield* streamOf(router, level, "copyOut", text, new BytesCollector(), options)
    })
  )

export const copyRowsOut = (
  router: Router,
  source: PgCopy.Source,
  options: PgCopy.Observed
): Stream.Stream<ObjectRow, PgError.PgError> =>
  begun(
    "copyOutRows",
    options,
    Effect.gen(function* () {
      const level = yield* router.scopedLevel
      const { sent, told } = yield* withLiterals(level, source)
      const query = queryOf(told)
      const { rowShape: shape } = yield* description(level, query)
      if (shape === undefined) {
        return yield* new PgError.UnsupportedError({
          feature: "COPY of a statement that returns no rows",
          instead: "copy a SELECT, or a command with RETURNING",
          sql: query
        })
      }
      const version = serverVersionOf(level.session.parameters)
      const statement = (text: string) =>
        copyOutStatement({ query: inBinary(text, shape) }, { format: "binary" }, version)
      const text = yield* Effect.all({ sent: statement(queryOf(sent)), told: statement(query) })
      return yield* streamOf(router, level, "copyOutRows", text, new RowsCollector(query, shape.object), options)
    })
  )

const queryOf = (source: Interpolated["sent"]): string =>
  "query" in source ? source.query : selectFrom(source, source.columns)

/** One timeout covers the wait for a connection and for the beginning of the COPY. */
const begun = <A>(
  operation: string,
  { timeout }: PgCopy.Observed,
  stream: Effect.Effect<Stream.Stream<A, PgError.PgError>, PgError.PgError, Scope.Scope>
): Stream.Stream<A, PgError.PgError> => Stream.unwrap(withTimeout(operation, undefined, stream, timeout))

/** Begins the COPY and makes its stream. If the COPY has not ended when the scope closes, it is canceled. */
const streamOf = <A>(
  router: Router,
  level: TransactionLevel,
  operation: string,
  text: CopyText,
  collector: Collector<A>,
  options: PgCopy.Observed
): Effect.Effect<Stream.Stream<A, PgError.PgError>, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const request = copyOutRequest(text, collector)
    yield* Effect.addFinalizer(() => Effect.sync(() => request.abandon()))
    const observed = <B>(effect: Effect.Effect<B, PgError.PgError>) =>
      router.observed(operation, { sql: text.told, params: undefined }, effect, undefined, level)
    const copy = yield* Effect.catch(level.run(request), (error) => observed(Effect.fail(error)))
    yield* Effect.forkScoped(Effect.exit(observed(copy.ended)), { startImmediately: true })
    const next = withTimeout(operation, text.told, copy.next, options.timeout)
    return Stream.fromPull(Effect.succeed(pull(copy, next, options)))
  })

type Pulled<A> = Effect.Effect<Arr.NonEmptyReadonlyArray<A>, PgError.PgError | Cause.Done>

const pull = <A>(copy: CopyOut<A>, next: CopyOut<A>["next"], { onProgress }: PgCopy.Observed): Pulled<A> =>
  Effect.flatMap(next, (items): Pulled<A> => {
    if (!Arr.isReadonlyArrayNonEmpty(items)) return Cause.done()
    if (onProgress === undefined) return Effect.succeed(items)
    return Effect.as(answerOf("onProgress", onProgress({ bytes: copy.bytesRead, rows: copy.collector.rows })), items)
  })
