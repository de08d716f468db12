/**
 * Tells on behalf of which fiber Kysely asks for a connection. Kysely hands the signal of a call on to its driver, so
 * the signal of an effect stands for its fiber.
 */
import type * as Context from "effect/Context"

/** The fiber that runs a query. */
export interface Caller {
  readonly context: Context.Context<never>
  /** Whether it asks for one statement, which needs no connection to itself. */
  readonly isSingle: boolean
}

const callers = new WeakMap<AbortSignal, Caller>()

/** Makes a signal known as that of a fiber. */
export const calledBy = (signal: AbortSignal, caller: Caller): void => {
  callers.set(signal, caller)
}

/** Undefined for a signal that a program has made itself, and for none. */
export const callerOf = (signal: AbortSignal | undefined): Caller | undefined => signal && callers.get(signal)
