/**
 * Takes the lock of a folder again and again, checks that nobody else has it, and leaves it as a process that was killed
 * does. Prints how often it had the lock, and how often somebody else had it, too.
 *
 *   node contender.ts <folder> <milliseconds>
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as path from "node:path"
import { tryLock } from "../../../src/cli/dev/lock.ts"

const [folder = "", millis = "0"] = process.argv.slice(2)
const held = path.join(folder, "held")
const DEAD = JSON.stringify({ pid: 2 ** 30, beginning: "long ago" })

let taken = 0
let shared = 0
const end = Date.now() + Number(millis)
while (Date.now() < end) {
  // The scope stays open: nothing is removed.
  if (!Effect.runSync(Scope.provide(tryLock(folder), Scope.makeUnsafe()))) continue
  taken++
  try {
    fs.closeSync(fs.openSync(held, "wx"))
  } catch {
    shared++
    continue
  }
  fs.rmSync(held)
  fs.writeFileSync(`${held}.${process.pid}`, DEAD)
  fs.renameSync(`${held}.${process.pid}`, path.join(folder, "lock"))
}
process.stdout.write(JSON.stringify({ taken, shared }))
