/** Makes programs from seeds, and reduces a failing program to the smallest that still fails. */
import * as Effect from "effect/Effect"
import { type Command, MAX_NUMBER, type Numbers, programOf } from "./program.ts"

/** Numbers that are repeatable by their seed (mulberry32). */
const numbersFrom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export const programFrom = (seed: number, steps: number): ReadonlyArray<Command> => {
  const next = numbersFrom(seed)
  const upTo = (most: number) => Math.floor(next() * (most + 1))
  const focus = upTo(MAX_NUMBER)
  const command = (): Numbers => [upTo(99), upTo(1), upTo(MAX_NUMBER), upTo(MAX_NUMBER), upTo(MAX_NUMBER)]
  return programOf(focus, Array.from({ length: steps }, command))
}

/** Leaves out everything that can be left out, in ever smaller parts, for as long as the rest still fails. */
export const shrink = <E, R>(
  program: ReadonlyArray<Command>,
  fails: (program: ReadonlyArray<Command>) => Effect.Effect<boolean, E, R>
): Effect.Effect<ReadonlyArray<Command>, E, R> =>
  Effect.gen(function* () {
    let smallest = program
    for (let part = Math.ceil(program.length / 2); part >= 1; part = part === 1 ? 0 : Math.ceil(part / 2)) {
      for (let at = smallest.length - part; at >= 0; at -= part) {
        const rest = smallest.toSpliced(at, part)
        if (yield* fails(rest)) smallest = rest
      }
    }
    return smallest
  })
