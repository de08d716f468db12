#!/usr/bin/env node
/**
 * The program `effectpg`. It only loads the rest, so that a package which is not installed, and a bug, is a message and
 * not a stack trace.
 */
import { explainLoading } from "./terminal/packages.ts"

const fail = (failure: unknown): void => {
  const { exitCode, message } = explainLoading(failure, process.argv.includes("--verbose"))
  process.stderr.write(`${message}\n`)
  process.exit(exitCode)
}

process.on("uncaughtException", fail)

try {
  const { start } = await import("./program.ts")
  await start()
} catch (failure) {
  fail(failure)
}
