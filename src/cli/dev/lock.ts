/**
 * The right to run the server of a folder, and the right to use it meanwhile. Each right is a file that names a process, so
 * that those of killed processes do not count.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { livesIn, ownIdentity } from "./processes.ts"

/** Takes the lock until the scope closes; false if another process has it. */
export const tryLock = (folder: string): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => take(folder)),
    (isOurs) => Effect.sync(() => (isOurs ? fs.rmSync(lockOf(folder), { force: true }) : undefined))
  )

const lockOf = (folder: string): string => path.join(folder, "lock")

const take = (folder: string): boolean => {
  const lock = lockOf(folder)
  const own = `${lock}.${process.pid}`
  fs.writeFileSync(own, JSON.stringify(ownIdentity()))
  try {
    if (linked(own, lock)) return true
    if (livesIn(lock)) return false
    // Only one process can move the file of a dead owner away.
    fs.renameSync(lock, `${own}.stale`)
    fs.rmSync(`${own}.stale`)
    return linked(own, lock)
  } catch {
    return false
  } finally {
    fs.rmSync(own, { force: true })
  }
}

/** A link appears with its content, and at most once. */
const linked = (own: string, lock: string): boolean => {
  try {
    fs.linkSync(own, lock)
    return true
  } catch {
    return false
  }
}

const usersOf = (folder: string): string => path.join(folder, "users")
const stoppingOf = (folder: string): string => path.join(folder, "stopping")

/**
 * Says until the scope closes that this process uses the server of another one. False if that is about to stop it, and
 * does not wait any more.
 */
export const tryUse = (folder: string): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      fs.mkdirSync(usersOf(folder), { recursive: true })
      const file = path.join(usersOf(folder), String(process.pid))
      fs.writeFileSync(file, JSON.stringify(ownIdentity()))
      // The other side writes first and reads then, too, so that one of the two notices the other.
      if (!fs.existsSync(stoppingOf(folder))) return file
      fs.rmSync(file, { force: true })
      return undefined
    }),
    (file) => Effect.sync(() => (file === undefined ? undefined : fs.rmSync(file, { force: true })))
  ).pipe(Effect.map((file) => file !== undefined))

/** Whether nobody else uses the server, so that its owner may stop it. From then on nobody else can. */
export const mayStop = (folder: string): boolean => {
  fs.writeFileSync(stoppingOf(folder), "")
  const users = fs.existsSync(usersOf(folder)) ? fs.readdirSync(usersOf(folder)) : []
  if (!users.some((name) => livesIn(path.join(usersOf(folder), name)))) return true
  staysUp(folder)
  return false
}

/** The server is started, or goes on. */
export const staysUp = (folder: string): void => fs.rmSync(stoppingOf(folder), { force: true })
