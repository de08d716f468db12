/** How a command ends if it does not succeed: what a person reads, and the exit code of the process. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { missingPackage, needsPackage } from "./packages.ts"

export const ExitCode = {
  success: 0,
  /** The command was carried out, and the answer is no: an error of the server, a fault that was found. */
  failure: 1,
  /** The command cannot be carried out as it was given. */
  usage: 2,
  /** A bug in effectpg. */
  defect: 70,
  interrupted: 130
} as const

/** The exit code for the case that the process is interrupted, as by Ctrl-C. A command may set another one. */
export class Interruption extends Context.Reference<{ exitCode: number }>("effectpg/cli/Interruption", {
  defaultValue: () => ({ exitCode: ExitCode.interrupted })
}) {}

/** A command failed for a reason that its user can do something about. */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly message: string
  readonly exitCode: number
}> {}

/** A command has printed all that there is to say, and ends with this exit code. */
export class ExitWith extends Data.TaggedError("ExitWith")<{ readonly exitCode: number }> {}

export const failure = (message: string): CliFailure => new CliFailure({ message, exitCode: ExitCode.failure })

export const misuse = (message: string): CliFailure => new CliFailure({ message, exitCode: ExitCode.usage })

/** Loads a package that is needed only for `purpose`, which begins a sentence: `The command dev`. */
export const loadPackage = <A>(purpose: string, load: () => Promise<A>): Effect.Effect<A, CliFailure> =>
  Effect.callback((resume) => {
    load().then(
      (loaded) => resume(Effect.succeed(loaded)),
      (reason: unknown) => {
        const missing = missingPackage(reason)
        resume(missing === undefined ? Effect.die(reason) : Effect.fail(misuse(needsPackage(missing, purpose))))
      }
    )
  })
