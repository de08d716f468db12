/** Where the data of a COPY come from that goes in. They are pulled no faster than they can be sent. */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** The next items; none where there are no more. */
export type Feed<A, E, R> = Effect.Effect<ReadonlyArray<A> | undefined, E, R>

/** Opens a source for the scope. Of an iterable no more than `batch` items are taken at once. */
export const open = <A, E, R>(
  source: Iterable<A> | Stream.Stream<A, E, R>,
  batch: number
): Effect.Effect<Feed<A, E, R>, never, R | Scope.Scope> =>
  Stream.isStream(source)
    ? Effect.map(
        Stream.toPull(source),
        Pull.catchDone(() => Effect.undefined)
      )
    : Effect.map(iteratorOf(source), (iterator) => Effect.sync(() => take(iterator, batch)))

/** An iterator that is told when nobody wants more of it, as `for` would. */
const iteratorOf = <A>(iterable: Iterable<A>): Effect.Effect<Iterator<A>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => iterable[Symbol.iterator]()),
    (iterator) => Effect.sync(() => void iterator.return?.())
  )

const take = <A>(iterator: Iterator<A>, count: number): ReadonlyArray<A> | undefined => {
  const items: Array<A> = []
  while (items.length < count) {
    const { done, value } = iterator.next()
    if (done === true) return items.length === 0 ? undefined : items
    items.push(value)
  }
  return items
}
