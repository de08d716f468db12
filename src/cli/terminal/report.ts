/** Turns the way in which a command has ended into what a person reads and an exit code. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as PgError from "../../PgError.ts"
import { ExitCode } from "./failure.ts"
import { describeDefect } from "./packages.ts"

export interface Ending {
  readonly exitCode: number
  /** What goes to the standard error; undefined if everything was said. */
  readonly message: string | undefined
}

export const endingOf = (exit: Exit.Exit<unknown, unknown>, isVerbose: boolean): Ending => {
  if (Exit.isSuccess(exit)) return { exitCode: ExitCode.success, message: undefined }
  const { cause } = exit
  if (Cause.hasInterruptsOnly(cause)) return { exitCode: ExitCode.interrupted, message: undefined }
  const error = Cause.hasDies(cause) ? undefined : Cause.squash(cause)
  const ending = error === undefined ? undefined : knownEnding(error)
  if (ending === undefined) return defect(cause, isVerbose)
  if (!isVerbose || ending.message === undefined) return ending
  return { ...ending, message: `${ending.message}\n\n${Cause.pretty(cause)}` }
}

const knownEnding = (error: unknown): Ending | undefined => {
  if (!Predicate.hasProperty(error, "_tag")) return undefined
  if (error._tag === "ShowHelp") {
    const isAsked = Predicate.hasProperty(error, "errors") && Array.isArray(error.errors) && error.errors.length === 0
    return { exitCode: isAsked ? ExitCode.success : ExitCode.usage, message: undefined }
  }
  if (!(error instanceof Error)) return undefined
  const exitCode = "exitCode" in error && typeof error.exitCode === "number" ? error.exitCode : ExitCode.failure
  switch (error._tag) {
    case "ExitWith":
      return { exitCode, message: undefined }
    case "InvalidConfigError":
      return { exitCode: ExitCode.usage, message: withHint(error) }
    default:
      return { exitCode, message: withHint(error) }
  }
}

const withHint = (error: Error): string =>
  "hint" in error && typeof error.hint === "string" ? `${error.message}\nHINT: ${error.hint}` : error.message

/** What a person reads of an error of the client or of the server that has no statement. */
export const describeError = (error: PgError.PgError): string => withHint(error)

const defect = (cause: Cause.Cause<unknown>, isVerbose: boolean): Ending => ({
  exitCode: ExitCode.defect,
  message: describeDefect(Cause.squash(cause), isVerbose ? Cause.pretty(cause) : undefined)
})
