#!/usr/bin/env node
/**
 * The program `effectpg`. It only loads the rest, so that a package which is not installed is a message and not a stack
 * trace.
 */
import { explainLoading } from "./terminal/packages.ts"

try {
  const { start } = await import("./program.ts")
  await start()
} catch (failure) {
  process.stderr.write(`${explainLoading(failure)}\n`)
  process.exitCode = 2
}
