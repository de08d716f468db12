/** Reads the source of a COPY into a table, no faster than its data can be sent. */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgError from "../../PgError.ts"
import { failingTyped, guarded } from "../../call/iterables.ts"

/** Gives the next items, or undefined if there are no more. Use each item before you take the next. */
export type Feed<A, E, R> = Effect.Effect<Iterable<A> | undefined, E, R>

/**
 * Opens a source for the scope. An iterable gives all its items in one portion, which pulls each only when it is used,
 * because the source may reuse one object for all of them.
 */
export const open = <A, E, R>(
  source: Iterable<A> | Stream.Stream<A, E, R>,
  sql: string
): Effect.Effect<Feed<A, E, R>, PgError.PgError, R | Scope.Scope> =>
  Stream.isStream(source)
    ? Effect.map(
        Stream.toPull(source),
        Pull.catchDone(() => Effect.undefined)
      )
    : failingTyped(Effect.map(iteratorOf(guarded(source, sql)), onePortion))

/** Makes an iterator whose `return` is called at the end of the scope, as `for` would call it. */
const iteratorOf = <A>(iterable: Iterable<A>): Effect.Effect<Iterator<A>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => iterable[Symbol.iterator]()),
    (iterator) => Effect.sync(() => void iterator.return?.())
  )

const onePortion = <A>(iterator: Iterator<A>): Effect.Effect<Iterable<A> | undefined> => {
  let portion: Iterable<A> | undefined = rest(iterator)
  return Effect.sync(() => {
    const given = portion
    portion = undefined
    return given
  })
}

/** Iterates over what is left of an iterator. Leaving the loop does not end the iterator, because the scope does. */
const rest = <A>(iterator: Iterator<A>): Iterable<A> => {
  const left: Iterator<A> = { next: () => iterator.next() }
  return { [Symbol.iterator]: () => left }
}
