/** Runs another program in the foreground, as a shell does: it has our input and output, and gets our signals. */
import { type ChildProcess, spawn } from "node:child_process"
import * as os from "node:os"
import * as Effect from "effect/Effect"
import { CliFailure } from "../terminal/failure.ts"

const NOT_FOUND = 127
const NOT_EXECUTABLE = 126
const KILLED = 128

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const

/** Returns the exit code, which is 128 and the number of the signal if one has ended the program. Waits for it in any case. */
export const runChild = (
  [command = "", ...args]: ReadonlyArray<string>,
  variables: Readonly<Record<string, string>>
): Effect.Effect<number, CliFailure> =>
  Effect.uninterruptible(
    Effect.callback<number, CliFailure>((resume) => {
      let child: ChildProcess
      try {
        child = spawn(command, args, {
          stdio: "inherit",
          env: { ...process.env, ...variables },
          // The commands of npm are scripts of the shell there.
          shell: process.platform === "win32"
        })
      } catch (error) {
        // Some errors come at once, such as that of a file in the place of a folder.
        return resume(Effect.fail(notStarted(command, error)))
      }
      const forward = (signal: NodeJS.Signals): void => {
        // A terminal has sent it to the program already.
        if (signal === "SIGINT" && process.stdin.isTTY) return
        child.kill(signal)
      }
      for (const signal of FORWARDED) process.on(signal, forward)
      const finish = (exit: Effect.Effect<number, CliFailure>): void => {
        for (const signal of FORWARDED) process.removeListener(signal, forward)
        resume(exit)
      }
      child.once("error", (error) => finish(Effect.fail(notStarted(command, error))))
      child.once("exit", (code, signal) => {
        finish(Effect.succeed(code ?? KILLED + (signal === null ? 0 : os.constants.signals[signal])))
      })
    })
  )

const notStarted = (command: string, error: unknown): CliFailure => {
  const isMissing = command === "" || (error instanceof Error && "code" in error && error.code === "ENOENT")
  const reason = error instanceof Error ? error.message : String(error)
  const message = `${command === "" ? "An empty text" : command}: ${isMissing ? "there is no such command." : reason}`
  return new CliFailure({ message, exitCode: isMissing ? NOT_FOUND : NOT_EXECUTABLE })
}
