/** Where the data of a COPY come from that goes in. They are pulled no faster than they can be sent. */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as PgError from "../../PgError.ts"
import { failingTyped, guarded } from "../../call/iterables.ts"

/** The next items, to be taken one by one and each used before the next is taken; none where there are no more. */
export type Feed<A, E, R> = Effect.Effect<Iterable<A> | undefined, E, R>

/**
 * Opens a source for the scope. Of an iterable there is one portion, whose items are pulled as they are used: the source
 * may fill the same object anew for each.
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

/** An iterator that is told when nobody wants more of it, as `for` would. */
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

/** What is left of an iterator. Leaving the loop does not end it: that is for the scope. */
const rest = <A>(iterator: Iterator<A>): Iterable<A> => {
  const left: Iterator<A> = { next: () => iterator.next() }
  return { [Symbol.iterator]: () => left }
}
