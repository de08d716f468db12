/** A Kysely on a pool of its own, with the tables that the tests of Kysely use. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Generated, Kysely, type KyselyConfig } from "kysely"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgError from "../../src/PgError.ts"
import * as PgKysely from "../../src/PgKysely.ts"
import type * as PgPool from "../../src/PgPool.ts"
import type { TestDatabase } from "../support/database.ts"
import { assertHealthy, eventually, livePool } from "../support/live.ts"

export interface Tables {
  readonly books: {
    readonly id: Generated<number>
    readonly title: string
    readonly pages: number | null
  }
}

export interface Library {
  readonly pool: PgPool.PgPool
  readonly db: Kysely<Tables>
}

const BOOKS = "(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL UNIQUE, pages int)"

/** An empty table of books, for a test. */
export const library = (
  settings: PgConfig.PoolSettings = {},
  config: Omit<KyselyConfig, "dialect"> = {}
): Effect.Effect<Library, PgError.PgError, TestDatabase | Scope.Scope> =>
  Effect.gen(function* () {
    const pool = yield* livePool({ maxConnections: 2, ...settings })
    yield* pool.executeScript(`DROP TABLE IF EXISTS books; CREATE TABLE books ${BOOKS}`)
    return { pool, db: new Kysely<Tables>({ ...config, dialect: yield* PgKysely.dialect(pool) }) }
  })

/** The titles as the server has committed them. */
export const titlesIn = (pool: PgPool.PgPool): Effect.Effect<ReadonlyArray<unknown>, PgError.PgError> =>
  Effect.map(pool.fetch("SELECT title FROM books ORDER BY id"), (rows) => rows.map(({ title }) => title))

/** Waits for a promise, which is expected to be fulfilled. */
export const from = <A>(make: () => Promise<A>): Effect.Effect<A> => Effect.promise(make)

/** What a promise is rejected with. */
export const rejectionOf = (make: () => Promise<unknown>): Effect.Effect<unknown> =>
  Effect.orDie(Effect.flip(Effect.tryPromise({ try: make, catch: (reason) => reason })))

/** The error of effectpg that a promise is rejected with. */
export const pgErrorOf = (make: () => Promise<unknown>): Effect.Effect<PgError.PgError> =>
  Effect.flatMap(rejectionOf(make), (reason) =>
    PgError.isPgError(reason) ? Effect.succeed(reason) : Effect.die(reason)
  )

/** Shows that all connections are back in the pool, and that it works. */
export const assertAllBack = (pool: PgPool.PgPool): Effect.Effect<void, PgError.PgError> =>
  Effect.gen(function* () {
    yield* eventually(
      Effect.map(pool.stats, ({ inUse }) => inUse),
      0
    )
    yield* assertHealthy(pool)
    assert.strictEqual((yield* pool.stats).waiting, 0)
  })
