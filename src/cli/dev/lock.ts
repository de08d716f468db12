/**
 * The right to run the server of a folder, and the right to use it meanwhile. Each right is a file that names a process, so
 * that those of killed processes do not count.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CliFailure } from "../terminal/failure.ts"
import { withFiles } from "../terminal/files.ts"
import { livesIn, ownIdentity } from "./identity.ts"

/** Takes the lock until the scope closes; false if another process has it. */
export const tryLock = (folder: string): Effect.Effect<boolean, CliFailure, Scope.Scope> =>
  Effect.acquireRelease(
    withFiles(() => take(lockOf(folder))),
    (isOurs) => (isOurs ? removed(lockOf(folder)) : Effect.void)
  )

const lockOf = (folder: string): string => path.join(folder, "lock")

/**
 * Makes the file of a right. The one of a dead process is replaced, which is a right of its own: otherwise two processes
 * could see the dead one, and the slower of the two would replace the file of the faster.
 */
const take = (file: string): boolean => {
  const own = `${file}.${process.pid}`
  fs.writeFileSync(own, JSON.stringify(ownIdentity()))
  try {
    if (linked(own, file)) return true
    if (livesIn(file)) return false
    const replacing = `${file}.next`
    if (!take(replacing)) return false
    try {
      // Its owner may have ended meanwhile, or another process may have replaced it before us.
      if (linked(own, file)) return true
      if (livesIn(file)) return false
      fs.renameSync(own, file)
      return true
    } finally {
      remove(replacing)
    }
  } finally {
    remove(own)
  }
}

/** A link appears with its content, and at most once. */
const linked = (own: string, file: string): boolean => {
  try {
    fs.linkSync(own, file)
    return true
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
    throw error
  }
}

const remove = (file: string): void => fs.rmSync(file, { force: true })

/** What cannot be removed names a process that has ended, and does not count. */
const removed = (file: string): Effect.Effect<void> => Effect.ignore(withFiles(() => remove(file)))

const usersOf = (folder: string): string => path.join(folder, "users")
const stoppingOf = (folder: string): string => path.join(folder, "stopping")

/**
 * Says until the scope closes that this process uses the server of another one. False if that is about to stop it, and
 * does not wait any more.
 */
export const tryUse = (folder: string): Effect.Effect<boolean, CliFailure, Scope.Scope> =>
  Effect.acquireRelease(
    withFiles(() => {
      fs.mkdirSync(usersOf(folder), { recursive: true })
      const file = path.join(usersOf(folder), String(process.pid))
      fs.writeFileSync(file, JSON.stringify(ownIdentity()))
      // The other side writes first and reads then, too, so that one of the two notices the other.
      if (!fs.existsSync(stoppingOf(folder))) return file
      remove(file)
      return undefined
    }),
    (file) => (file === undefined ? Effect.void : removed(file))
  ).pipe(Effect.map((file) => file !== undefined))

/** Whether nobody else uses the server, so that its owner may stop it. From then on nobody else can. */
export const mayStop = (folder: string): Effect.Effect<boolean, CliFailure> =>
  withFiles(() => {
    // Nobody uses what somebody has removed.
    if (!fs.existsSync(folder)) return true
    fs.writeFileSync(stoppingOf(folder), "")
    const users = fs.existsSync(usersOf(folder)) ? fs.readdirSync(usersOf(folder)) : []
    if (!users.some((name) => livesIn(path.join(usersOf(folder), name)))) return true
    remove(stoppingOf(folder))
    return false
  })

/** The server is started, and can be used. */
export const staysUp = (folder: string): Effect.Effect<void, CliFailure> => withFiles(() => remove(stoppingOf(folder)))
