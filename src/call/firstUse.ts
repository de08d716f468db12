/**
 * Loads a part of effectpg when a program first uses it. Importing a public module then costs little, and a bundler can
 * keep the part in a file of its own. Only calls that are asynchronous anyway begin a part. What ends something, such as
 * a rollback or a CancelRequest, is loaded with what it ends.
 */
import * as Effect from "effect/Effect"

/** Gives `use` the module of a part. */
export type FirstUse<Part> = <A, E, R>(use: (part: Part) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * Makes the way to a part. After the first use the part is there at once. A part that cannot be loaded is a defect, since
 * no call can do without it; the next use tries again. So is a runtime that is too old: programs would seem to work on it
 * until the first large value arrives.
 */
export const onFirstUse = <Part>(name: string, load: () => Promise<Part>): FirstUse<Part> => {
  let known: Part | undefined
  const loaded = Effect.callback<Part>((resume) => {
    load().then(
      (part) => {
        known = part
        resume(Effect.succeed(part))
      },
      (cause: unknown) => resume(Effect.die(new Error(message(name), { cause })))
    )
  })
  return (use) =>
    Effect.suspend(() => {
      if (known !== undefined) return use(known)
      return isTooOld() ? Effect.die(new Error(tooOld())) : Effect.flatMap(loaded, use)
    })
}

/** Node 20 and older versions cannot give back the memory of a buffer. */
const isTooOld = (): boolean => !("transfer" in ArrayBuffer.prototype)

const tooOld = (): string =>
  `effectpg needs Node 22.19 or later, but this program runs on Node ${process.versions.node}.`

const message = (name: string): string =>
  `effectpg cannot load its part for ${name}, because a file of the package is missing or broken. If you bundle the ` +
  "program, deploy all the files that the bundler writes."
