/** Runs the command line as a process of its own, as a user does. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export const program = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url))

/** A test starts several processes, and each may take seconds on a busy machine. */
export const PROCESS_TIMEOUT_MILLIS = 180_000

export interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number | null
}

export interface RunOptions {
  /** The standard input; nothing by default. */
  readonly input?: string | undefined
  /** Added to the environment, from which the variables that name a database are removed. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
}

export const environment = (added: RunOptions["env"]): Record<string, string | undefined> => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("PG") && name !== "DATABASE_URL")
  return { ...Object.fromEntries(inherited), NO_COLOR: "1", ...added }
}

export const effectpg = (args: ReadonlyArray<string>, { cwd, env, input = "" }: RunOptions = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd, env: environment(env) })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.once("error", reject)
    child.once("close", (exitCode) => resolve({ stdout, stderr, exitCode }))
    child.stdin.end(input)
  })
