/** Runs another program in the foreground, as a shell does: it has our input and output, and gets our signals. */
import { spawn } from "node:child_process"
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
      const child = spawn(command, args, {
        stdio: "inherit",
        env: { ...process.env, ...variables },
        // The commands of npm are scripts of the shell there.
        shell: process.platform === "win32"
      })
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
      child.once("error", (error: NodeJS.ErrnoException) => {
        const isMissing = error.code === "ENOENT"
        const message = isMissing ? `${command}: there is no such command.` : `${command}: ${error.message}`
        finish(Effect.fail(new CliFailure({ message, exitCode: isMissing ? NOT_FOUND : NOT_EXECUTABLE })))
      })
      child.once("exit", (code, signal) => {
        finish(Effect.succeed(code ?? KILLED + (signal === null ? 0 : os.constants.signals[signal])))
      })
    })
  )
