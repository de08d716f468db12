/** Lists everything that ends with a scope, a stream or a given effect, and how to be inside it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { CompiledQuery, Kysely, sql } from "kysely"
import * as PgClient from "../../src/PgClient.ts"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgKysely from "../../src/PgKysely.ts"
import * as PgLargeObject from "../../src/PgLargeObject.ts"
import * as PgMigrator from "../../src/PgMigrator.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import { publicApi } from "../fixtures/publicApi.generated.ts"
import { assertHealthy } from "../support/live.ts"

/** A pool, or a connection, which has fewer resources of its own. */
export type Asked = PgPool.PgPool | PgConnection.PgConnection

export interface Resource {
  /** The public names that lead to it, as `publicApi` spells them. */
  readonly names: ReadonlyArray<string>
  /** Only a pool has it. */
  readonly isOfPool?: true
  /**
   * Whether its end is an answer that the caller wants and that may rightly take long, such as that of COMMIT: then
   * only an interruption is bounded.
   */
  readonly endsWithAnswer?: true
  /** Until when it must have ended, in milliseconds, if that is not the grace. */
  readonly boundMillis?: number
  /** Between two pieces it holds no connection, so it cannot notice that the pool's is silent. */
  readonly isHeldByNobody?: true
  /** Runs `inside` while the resource is there. */
  readonly use: (
    asked: Asked,
    inside: Effect.Effect<void>,
    settings: PgConfig.PoolSettings
  ) => Effect.Effect<unknown, PgError.PgError>
}

export const CANCEL_TIMEOUT_MILLIS = 2_000
export const CLOSE_TIMEOUT_MILLIS = 500
const GOODBYE_MILLIS = 1_000

const ROWS = "SELECT n FROM generate_series(1, 100000) AS n"

const inScope = <A>(open: Effect.Effect<A, PgError.PgError, Scope.Scope>, inside: Effect.Effect<void>) =>
  Effect.scoped(Effect.andThen(open, inside))

const poolOf = (asked: Asked): PgPool.PgPool => {
  if ("connection" in asked) return asked
  throw new Error("only a pool has it")
}

const anyKey = (): number => Math.floor(Math.random() * 2 ** 31)

/** A source of data: its first piece, then the effect to run inside, then nothing more. */
const source = <A>(first: A, inside: Effect.Effect<void>) =>
  Stream.concat(Stream.succeed(first), Stream.drain(Stream.fromEffect(inside)))

/** As many rows of values as are sent in one portion, then the effect. Before a portion nothing is sent. */
const manyRows = (inside: Effect.Effect<void>) =>
  Stream.concat(Stream.fromIterable(Array.from({ length: 1_000 }, () => [1])), Stream.drain(Stream.fromEffect(inside)))

/** Runs the effect after the first element. */
const reading = <A>(stream: Stream.Stream<A, PgError.PgError>, inside: Effect.Effect<void>) =>
  Stream.runDrain(Stream.tap(Stream.take(stream, 1), () => inside))

const manyNumbers = sql<number>`generate_series(1, 100000)`.as("n")

export const resources: ReadonlyArray<Resource> = [
  {
    names: ["PgConnection.make", "PgConnection.layer"],
    boundMillis: CANCEL_TIMEOUT_MILLIS + GOODBYE_MILLIS,
    use: (_, inside, settings) =>
      Effect.scoped(Effect.flatMap(PgConnection.make(settings), (own) => Effect.andThen(assertHealthy(own), inside)))
  },
  {
    names: ["PgPool.make"],
    boundMillis: CLOSE_TIMEOUT_MILLIS + GOODBYE_MILLIS,
    use: (_, inside, settings) =>
      Effect.scoped(Effect.flatMap(PgPool.make(settings), (own) => Effect.andThen(assertHealthy(own), inside)))
  },
  {
    names: ["PgClient.make"],
    boundMillis: CLOSE_TIMEOUT_MILLIS + GOODBYE_MILLIS,
    use: (_, inside, settings) =>
      Effect.scoped(Effect.flatMap(PgClient.make(settings), (own) => Effect.andThen(own.listen("own"), inside)))
  },
  {
    names: ["PgClient.layer", "PgClient.layerConfig", "PgClient.layerEnv", "PgPool.layer"],
    boundMillis: CLOSE_TIMEOUT_MILLIS + GOODBYE_MILLIS,
    use: (_, inside, settings) =>
      Effect.scoped(Effect.andThen(Layer.build(PgClient.layer({ ...settings, minConnections: 1 })), inside))
  },
  {
    names: ["PgSqlClient.layer", "PgSqlClient.layerConfig", "PgSqlClient.layerSqlPg", "PgMigrator.layer"],
    boundMillis: CLOSE_TIMEOUT_MILLIS + GOODBYE_MILLIS,
    use: (_, inside, settings) => {
      const client = PgSqlClient.layer({ ...settings, minConnections: 1 })
      const onIt = Layer.merge(PgSqlClient.layerSqlPg, PgMigrator.layer({ loader: PgMigrator.fromRecord({}) }))
      return Effect.scoped(Effect.andThen(Effect.orDie(Layer.build(Layer.provideMerge(onIt, client))), inside))
    }
  },
  {
    names: ["PgSqlClient.layerFrom", "withTransactionOptions"],
    isOfPool: true,
    endsWithAnswer: true,
    use: (asked, inside) =>
      Effect.gen(function* () {
        const client = yield* PgSqlClient.PgSqlClient
        yield* Effect.andThen(client`SELECT 1`, inside).pipe(client.withTransactionOptions({ access: "read only" }))
      }).pipe(
        Effect.provide(PgSqlClient.layerFrom()),
        Effect.provideService(PgClient.PgClient, poolOf(asked)),
        Effect.mapError((error) => Option.getOrThrow(PgError.fromSqlError(error)))
      )
  },
  {
    names: ["PgKysely.dialect"],
    isOfPool: true,
    use: (asked, inside) =>
      inScope(
        Effect.tap(PgKysely.dialect(poolOf(asked)), (dialect) =>
          Effect.promise(() => new Kysely({ dialect }).executeQuery(CompiledQuery.raw("SELECT 1")))
        ),
        inside
      )
  },
  {
    names: ["PgKysely.stream"],
    isOfPool: true,
    endsWithAnswer: true,
    use: (asked, inside) =>
      Effect.scoped(
        Effect.flatMap(PgKysely.make(), (db) => reading(PgKysely.stream(db.selectNoFrom(manyNumbers)), inside))
      ).pipe(Effect.provideService(PgClient.PgClient, poolOf(asked)))
  },
  {
    names: ["connection"],
    isOfPool: true,
    use: (asked, inside) =>
      inScope(
        Effect.tap(poolOf(asked).connection, (lent) => lent.fetch("SELECT 1")),
        inside
      )
  },
  {
    names: ["withConnection"],
    isOfPool: true,
    use: (asked, inside) => poolOf(asked).withConnection((lent) => Effect.andThen(lent.fetch("SELECT 1"), inside))
  },
  {
    names: ["begin"],
    use: (asked, inside) =>
      inScope(
        Effect.tap(asked.begin(), (transaction) => transaction.fetch("SELECT 1")),
        inside
      )
  },
  {
    names: ["withTransaction"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.withTransaction(Effect.andThen(asked.fetch("SELECT 1"), inside))
  },
  { names: ["cursor"], endsWithAnswer: true, use: (asked, inside) => inScope(asked.cursor(ROWS), inside) },
  {
    names: ["cursor"],
    endsWithAnswer: true,
    use: (asked, inside) => inScope(asked.cursor(ROWS, [], { scroll: true }), inside)
  },
  { names: ["cursor"], use: (asked, inside) => inScope(asked.cursor(ROWS, [], { hold: true }), inside) },
  { names: ["stream"], endsWithAnswer: true, use: (asked, inside) => reading(asked.stream(ROWS), inside) },
  { names: ["prepare"], use: (asked, inside) => inScope(asked.prepare("SELECT $1::int4"), inside) },
  { names: ["listen"], use: (asked, inside) => inScope(asked.listen("silence"), inside) },
  {
    names: ["notices"],
    use: (asked, inside) => {
      if ("connection" in asked) return inside
      const heard = Stream.runDrain(Stream.tap(Stream.take(asked.notices, 1), () => inside))
      const raise = Effect.andThen(Effect.yieldNow, asked.execute("DO $$ BEGIN RAISE NOTICE 'heard'; END $$"))
      return Effect.all([heard, raise], { concurrency: "unbounded" })
    }
  },
  { names: ["copyOut"], use: (asked, inside) => reading(asked.copyOut({ query: ROWS }), inside) },
  { names: ["copyOutRows"], use: (asked, inside) => reading(asked.copyOutRows({ query: ROWS }), inside) },
  {
    names: ["copyIn"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.copyIn({ table: "silence" }, source(new TextEncoder().encode("1\n"), inside))
  },
  {
    names: ["copyInRows"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.copyInRows({ table: "silence" }, source([1], inside))
  },
  {
    names: ["executeMany"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.executeMany("INSERT INTO silence VALUES ($1)", manyRows(inside))
  },
  {
    names: ["fetchMany"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.fetchMany("SELECT $1::int4", manyRows(inside))
  },
  // The lock is released after the calls that still run.
  {
    names: ["withAdvisoryLock"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.withAdvisoryLock(anyKey(), inside)
  },
  {
    names: ["withAdvisoryLockIfAvailable"],
    endsWithAnswer: true,
    use: (asked, inside) => asked.withAdvisoryLockIfAvailable(anyKey(), inside)
  },
  {
    names: ["PgLargeObject.write"],
    endsWithAnswer: true,
    use: (asked, inside) => PgLargeObject.write(asked, source(new Uint8Array(8), inside))
  },
  {
    names: ["PgLargeObject.read"],
    endsWithAnswer: true,
    isHeldByNobody: true,
    use: (asked, inside) =>
      Effect.flatMap(PgLargeObject.write(asked, Stream.succeed(new Uint8Array(100_000))), (oid) =>
        reading(PgLargeObject.read(asked, oid), inside)
      )
  }
]

/**
 * Everything that is given for a scope or as a stream, reads a stream, or runs an effect of the user inside something.
 */
const MEMBER = /^ {2}(\w+): .*(?:, Scope>|Stream<|RowSource<|Listen$)/
const WITH = /^ {2}(with[A-Z]\w*): .*Effect</
const CONSTANT = /^const (\w+): .*(?:, Scope>|Stream<|Layer<)/

/**
 * `test/replication/failures.integration.test.ts` and `test/session/replication/logStream.sim.test.ts` end streams of the
 * log, for which the server of these tests is not set up; `test/PgTest.integration.test.ts` ends databases of tests.
 */
const ELSEWHERE: ReadonlySet<string> = new Set(["PgReplication", "PgTest"])

/** The names in the public API that lead to such a resource. */
export const namesOfResources = (): ReadonlySet<string> => {
  const names = new Set<string>()
  let module = ""
  for (const line of publicApi.split("\n")) {
    module = /^# (\w+)/.exec(line)?.[1] ?? module
    if (ELSEWHERE.has(module)) continue
    const constant = CONSTANT.exec(line)?.[1]
    const member = (MEMBER.exec(line) ?? WITH.exec(line))?.[1]
    if (constant !== undefined) names.add(`${module}.${constant}`)
    if (member !== undefined) names.add(member)
  }
  return names
}
