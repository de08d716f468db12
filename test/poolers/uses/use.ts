/** One kind of use of a pool, as a program that knows what the right answers are. */
import { inspect, isDeepStrictEqual } from "node:util"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgError from "../../../src/PgError.ts"
import type * as PgPool from "../../../src/PgPool.ts"

/** What a use runs on. */
export interface Stage {
  /** A new pool of five. */
  readonly pool: PgPool.PgPool
  /** The name of a table, a type or a channel that no other use has. */
  readonly name: string
}

export interface Use {
  readonly name: string
  /** Settings of its pool. */
  readonly settings?: PgPool.Settings
  /** Whether it needs COPY FROM STDIN, at which some endpoints break down for every client. */
  readonly copiesIn?: boolean
  readonly run: (stage: Stage) => Effect.Effect<unknown, PgError.PgError | Unexpected, Scope.Scope>
}

/** An answer that is not the right one; nothing but the use itself has noticed. */
export class Unexpected {
  readonly _tag = "Unexpected"
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

export const same = (actual: unknown, expected: unknown): Effect.Effect<void, Unexpected> =>
  Effect.suspend(() => {
    if (isDeepStrictEqual(actual, expected)) return Effect.void
    return Effect.fail(new Unexpected(`${shown(actual)} instead of ${shown(expected)}`))
  })

const shown = (value: unknown): string =>
  inspect(Option.isOption(value) ? Option.getOrNull(value) : value, { depth: 3 })

/** Runs an effect and compares its result. */
export const gives = <A, E, R>(effect: Effect.Effect<A, E, R>, expected: A): Effect.Effect<void, E | Unexpected, R> =>
  Effect.flatMap(effect, (actual) => same(actual, expected))

/** Runs an effect that has to fail with that tag. */
export const failsWith = <A, R>(
  effect: Effect.Effect<A, PgError.PgError, R>,
  tag: PgError.PgError["_tag"]
): Effect.Effect<void, PgError.PgError | Unexpected, R> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => (error._tag === tag ? Effect.void : Effect.fail(error)),
    onSuccess: () => Effect.fail(new Unexpected(`it succeeded instead of failing with ${tag}`))
  })
