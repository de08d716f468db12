/**
 * Large objects: byte strings of up to 4 TiB that PostgreSQL stores outside of tables, under an OID. They are written
 * and read in parts, so that memory use does not grow with their size.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Queryable } from "./connection/queryable/queryable.ts"
import * as Shape from "./call/shape.ts"
import * as PgError from "./PgError.ts"

/** The number of bytes that one statement carries. */
const PART_BYTES = 262_144

/**
 * Stores bytes as a new large object, and returns its OID. This is one transaction: if the source fails or is
 * interrupted, nothing is stored. Fails as the source does.
 *
 * @example
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { PgClient, PgLargeObject } from "effectpg"
 *
 * export const copy = Effect.gen(function* () {
 *   const pg = yield* PgClient.PgClient
 *   const oid = yield* PgLargeObject.write(pg, Stream.make(new TextEncoder().encode("a long story")))
 *   return yield* Stream.runCollect(PgLargeObject.read(pg, oid))
 * })
 * ```
 * @category constructors
 * @since 0.1.0
 */
export const write = <E, R>(
  queryable: Queryable,
  bytes: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<number, E | PgError.PgError, R> =>
  Shape.unless(
    Shape.faultOf("queryable", queryable, Shape.queryable) ?? Shape.faultOf("bytes", bytes, Shape.stream),
    () =>
      queryable.withTransaction(
        Effect.gen(function* () {
          const oid = yield* queryable.fetchOne("SELECT pg_catalog.lo_create(0) AS oid")
          let offset = 0n
          yield* Stream.runForEach(Stream.flatMap(bytes, parts), (part) => {
            const at = offset
            offset += BigInt(part.length)
            return queryable.execute("SELECT pg_catalog.lo_put($1, $2, $3)", [oid["oid"], at, part])
          })
          return Number(oid["oid"])
        })
      )
  )

const parts = (bytes: Uint8Array): Stream.Stream<Uint8Array, PgError.PgError> =>
  !Shape.isBytes(bytes)
    ? Stream.fail(noBytes(bytes))
    : Stream.fromIterable(
        Array.from({ length: Math.ceil(bytes.length / PART_BYTES) }, (_, index) =>
          bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)
        )
      )

/** Without this check, nothing would be stored for a part that is not a Uint8Array. */
const noBytes = (part: unknown): PgError.EncodeError =>
  new PgError.EncodeError({
    parameter: 0,
    type: "bytes",
    reason: `a large object takes Uint8Arrays, not ${Shape.words(part)}`,
    sql: ""
  })

/**
 * Reads the bytes of a large object, in parts. Outside of a transaction a change of the object by others may show in
 * the later parts. Fails with `UndefinedObjectError` if there is no such object.
 *
 * @category getters
 * @since 0.1.0
 */
export const read = (queryable: Queryable, oid: number): Stream.Stream<Uint8Array, PgError.PgError> =>
  Stream.unwrap(
    Shape.unless(Shape.faultOf("queryable", queryable, Shape.queryable), () => Effect.succeed(partsOf(queryable, oid)))
  )

const partsOf = (queryable: Queryable, oid: number): Stream.Stream<Uint8Array, PgError.PgError> =>
  Stream.paginate(0n, (offset) =>
    Effect.map(
      queryable.fetchValue("SELECT pg_catalog.lo_get($1, $2, $3)", [oid, offset, PART_BYTES]),
      (value): readonly [ReadonlyArray<Uint8Array>, Option.Option<bigint>] => {
        const part = Option.getOrUndefined(value)
        if (!(part instanceof Uint8Array) || part.length === 0) return [[], Option.none()]
        return [[part], Option.some(offset + BigInt(part.length))]
      }
    )
  )

/**
 * Removes a large object. Fails with `UndefinedObjectError` if there is no such object.
 *
 * @category constructors
 * @since 0.1.0
 */
export const remove = (queryable: Queryable, oid: number): Effect.Effect<void, PgError.PgError> =>
  Shape.unless(Shape.faultOf("queryable", queryable, Shape.queryable), () =>
    Effect.asVoid(queryable.execute("SELECT pg_catalog.lo_unlink($1)", [oid]))
  )
