/**
 * Iterates over the rows or bytes that a user passes. The user's iterator may throw or return something that is not an
 * iterator result. Either becomes one typed error, which an effect then fails with.
 */
import * as Effect from "effect/Effect"
import * as PgError from "../PgError.ts"

/** Wraps an iterable: an error in its iterator becomes an `EncodeError`, and an error while it stops is ignored. */
export const guarded = <A>(iterable: Iterable<A>, sql: string): Iterable<A> => ({
  [Symbol.iterator]: () => new GuardedIterator(begin(iterable, sql), sql)
})

const begin = <A>(iterable: Iterable<A>, sql: string): Iterator<A> => {
  try {
    return iterable[Symbol.iterator]()
  } catch (failure) {
    throw refused(failure, sql)
  }
}

class GuardedIterator<A> implements Iterator<A> {
  readonly #iterator: Iterator<A>
  readonly #sql: string
  /** One for all rows, because a row is taken out of it before the next one is asked for. */
  #yielded: { done: false; value: A } | undefined

  constructor(iterator: Iterator<A>, sql: string) {
    this.#iterator = iterator
    this.#sql = sql
  }

  next(): IteratorResult<A> {
    try {
      const result = this.#iterator.next()
      // Reading the result may throw as well. A result of another kind would never end the iteration.
      if (result.done === true) return DONE
      const { value } = result
      if (this.#yielded === undefined) this.#yielded = { done: false, value }
      else this.#yielded.value = value
      return this.#yielded
    } catch (failure) {
      throw refused(failure, this.#sql)
    }
  }

  return(): IteratorResult<A> {
    try {
      this.#iterator.return?.()
    } catch {
      // The call no longer needs the iterator, and if the call failed, it already has an error to report.
    }
    return DONE
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** The reason names only the kind of what was thrown, because the message of the thrown error may contain a row. */
const refused = (failure: unknown, sql: string): PgError.EncodeError =>
  new PgError.EncodeError({
    parameter: 0,
    type: "row",
    reason: `the given iterable threw ${kindOf(failure)}`,
    sql,
    thrown: failure
  })

const kindOf = (failure: unknown): string => {
  try {
    return failure instanceof Error ? failure.constructor.name : `a value of type ${typeof failure}`
  } catch {
    return "a value that cannot be read"
  }
}

/** Turns a `PgError` that a guarded iterable throws inside an effect into a failure of that effect. */
export const failingTyped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | PgError.PgError, R> =>
  Effect.catchDefect(effect, (defect) => (PgError.isPgError(defect) ? Effect.fail(defect) : Effect.die(defect)))
