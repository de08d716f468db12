/**
 * Ends what a killed `effectpg dev` has left: its server, if nobody stops it any more, and the file that says which
 * process it was. Only the owner of the folder's lock may do so.
 */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { serverIn } from "../../testServer/leftovers.ts"
import { isAlive } from "../../testServer/processes.ts"
import { type CliFailure, failure } from "../terminal/failure.ts"
import { isRefusal, refusalOf, withFiles } from "../terminal/files.ts"
import { pidFile } from "./folder.ts"

const POLL_MILLIS = 50
/** A server that shuts down in order writes everything to the disk before it ends. */
const ORDERLY_MILLIS = 30_000
const CRASH_MILLIS = 5_000

export const endLeftover = (folder: string): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const pid = yield* serverOf(folder)
    // The number may belong to another process by now, and then the server would not start.
    if (pid === undefined) return yield* withFiles(() => fs.rmSync(pidFile(folder), { force: true }))
    for (const [signal, millis] of [
      ["SIGINT", ORDERLY_MILLIS],
      ["SIGQUIT", CRASH_MILLIS]
    ] as const) {
      signalTo(pid, signal)
      const deadline = Date.now() + millis
      while (isAlive(pid) && Date.now() < deadline) yield* Effect.sleep(POLL_MILLIS)
    }
  })

const serverOf = (folder: string): Effect.Effect<number | undefined, CliFailure> =>
  Effect.try({
    try: () => serverIn(folder),
    catch: (error) =>
      isRefusal(error) ? refusalOf(error) : failure(error instanceof Error ? error.message : String(error))
  })

const signalTo = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It has just ended.
  }
}
