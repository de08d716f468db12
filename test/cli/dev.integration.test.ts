/** Tests `effectpg dev`: its server, what it leaves, and what it mends after it was killed. */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll } from "vitest"
import { effectpg, environment, PROCESS_TIMEOUT_MILLIS, program, type Ran } from "./support/effectpg.ts"

const POLL_MILLIS = 50

/** A project. The server may not run as root, so that others have to reach the folder. */
const project = (): string => {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "development-")))
  fs.chmodSync(directory, 0o755)
  projects.push(directory)
  return directory
}

const projects: Array<string> = []

afterAll(() => {
  for (const directory of projects) {
    for (const pid of processesOf(directory)) process.kill(pid, "SIGKILL")
    fs.rmSync(directory, { recursive: true, force: true })
  }
})

const dev = (cwd: string, ...args: ReadonlyArray<string>): Promise<Ran> => effectpg(["dev", ...args], { cwd })

/** A command for `dev` that runs SQL as it is told by DATABASE_URL. */
const sql = (text: string): ReadonlyArray<string> => ["--", process.execPath, program, "query", "--csv", text]

/** All processes of the server of a project, and its guardian. */
const processesOf = (directory: string): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(`${directory}/.effectpg`))
    .map((line) => Number.parseInt(line, 10))

const until = async (what: string, look: () => boolean): Promise<void> => {
  const deadline = Date.now() + PROCESS_TIMEOUT_MILLIS
  while (!look()) {
    assert.isBelow(Date.now(), deadline, what)
    await sleep(POLL_MILLIS)
  }
}

interface Running {
  readonly child: ChildProcess
  readonly said: () => string
  readonly exited: Promise<number | null>
}

/** Starts `effectpg dev`, and waits until it has said something. */
const running = async (cwd: string, awaited: string, ...args: ReadonlyArray<string>): Promise<Running> =>
  runningIn({ cwd, env: {} }, awaited, ...args)

const runningIn = async (
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  awaited: string,
  ...args: ReadonlyArray<string>
): Promise<Running> => {
  const child = spawn(process.execPath, [program, "dev", ...args], { cwd, env: environment(env) })
  let output = ""
  child.stdout.on("data", (text: Buffer) => (output += text.toString()))
  child.stderr.on("data", (text: Buffer) => (output += text.toString()))
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve))
  await until(awaited, () => output.includes(awaited) || child.exitCode !== null)
  assert.include(output, awaited)
  return { child, said: () => output, exited }
}

describe("effectpg dev", () => {
  it(
    "runs a command with DATABASE_URL, passes its exit code on, and keeps data and port",
    { timeout: PROCESS_TIMEOUT_MILLIS },
    async () => {
      const cwd = project()
      const script = "process.stdout.write(process.env.DATABASE_URL + ' ' + process.argv.slice(1)); process.exit(7)"
      const first = await dev(cwd, "--", process.execPath, "-e", script, "--", "--flag", "a b")
      assert.strictEqual(first.exitCode, 7)
      assert.match(first.stdout, /^postgres:\/\/postgres:[^@]+@localhost:\d+\/postgres --flag,a b$/)
      assert.strictEqual((await dev(cwd, ...sql("CREATE TABLE kept (n int)"))).exitCode, 0)
      const again = await dev(cwd, "--", process.execPath, "-e", script, "--", "--flag", "a b")
      assert.strictEqual(again.stdout, first.stdout)
      assert.deepStrictEqual(await dev(cwd, ...sql("SELECT count(*) FROM kept")), {
        stdout: "count\n0\n",
        stderr: "",
        exitCode: 0
      })
      assert.deepStrictEqual(processesOf(cwd), [])
      assert.strictEqual(fs.readFileSync(path.join(cwd, ".effectpg", ".gitignore"), "utf8"), "*\n")
    }
  )

  it(
    "prints its URL, is used by others, and stops at Ctrl-C without leaving anything",
    { timeout: PROCESS_TIMEOUT_MILLIS },
    async () => {
      const cwd = project()
      const server = await running(cwd, "until you press Ctrl-C")
      const [url = ""] = server.said().split("\n")
      assert.strictEqual((await effectpg(["query", "--csv", "--url", url, "SELECT 1 AS n"])).stdout, "n\n1\n")
      const other = await dev(cwd)
      assert.deepStrictEqual({ exitCode: other.exitCode, stdout: other.stdout }, { exitCode: 0, stdout: `${url}\n` })
      assert.strictEqual((await dev(cwd, ...sql("SELECT 2 AS n"))).stdout, "n\n2\n")
      server.child.kill("SIGINT")
      assert.strictEqual(await server.exited, 0)
      assert.deepStrictEqual(processesOf(cwd), [])
      assert.notIncludeMembers(fs.readdirSync(path.join(cwd, ".effectpg")), ["lock", "owners"])
    }
  )

  it(
    "starts one server if several are started at once, and keeps it as long as one of them runs",
    { timeout: PROCESS_TIMEOUT_MILLIS },
    async () => {
      const cwd = project()
      const sleeping = (seconds: number) =>
        dev(cwd, ...sql(`SELECT pg_postmaster_start_time() AS at FROM pg_sleep(${seconds})`))
      const all = await Promise.all([sleeping(0), sleeping(1), sleeping(3)])
      for (const { exitCode, stdout } of all)
        assert.deepStrictEqual({ exitCode, stdout }, { exitCode: 0, stdout: all[0].stdout })
      assert.deepStrictEqual(processesOf(cwd), [])
    }
  )

  it(
    "mends what is left after it was killed, alone or with the process that stops the server",
    { timeout: PROCESS_TIMEOUT_MILLIS },
    async () => {
      const cwd = project()
      await dev(cwd, ...sql("CREATE TABLE kept (n int)"))
      for (const others of [[], ["guardian"]]) {
        const server = await running(cwd, "until you press Ctrl-C")
        const guardians = execFileSync("ps", ["-A", "-o", "pid=,args="], { encoding: "utf8" })
          .split("\n")
          .filter((line) => others.some((other) => line.includes(other) && line.includes(`${cwd}/.effectpg`)))
        assert.lengthOf(guardians, others.length)
        for (const line of guardians) process.kill(Number.parseInt(line, 10), "SIGKILL")
        server.child.kill("SIGKILL")
        await server.exited
        assert.deepStrictEqual(await dev(cwd, ...sql("SELECT count(*) FROM kept")), {
          stdout: "count\n0\n",
          stderr: "",
          exitCode: 0
        })
        assert.deepStrictEqual(processesOf(cwd), [])
      }
      // A number that another process has by now.
      fs.writeFileSync(path.join(cwd, ".effectpg", "data", "postmaster.pid"), `${process.pid}\n`)
      fs.writeFileSync(path.join(cwd, ".effectpg", "lock"), JSON.stringify({ pid: process.pid, beginning: "long ago" }))
      assert.strictEqual((await dev(cwd, ...sql("SELECT count(*) FROM kept"))).exitCode, 0)
    }
  )

  it(
    "mends what is left also where there is no ps, and names the folder that it may not have",
    { timeout: PROCESS_TIMEOUT_MILLIS },
    async () => {
      const cwd = project()
      const env = { PATH: path.join(cwd, "bin") }
      const server = await runningIn({ cwd, env }, "until you press Ctrl-C")
      const [guardian] = processesOf(cwd)
      for (const pid of [guardian, server.child.pid]) process.kill(pid ?? 0, "SIGKILL")
      await server.exited
      const left = processesOf(cwd).length
      assert.isAbove(left, 0)
      assert.deepStrictEqual(await effectpg(["dev", ...sql("SELECT 1 AS n")], { cwd, env }), {
        stdout: "n\n1\n",
        stderr: "",
        exitCode: 0
      })
      assert.deepStrictEqual(processesOf(cwd), [])

      const users = path.join(cwd, ".effectpg", "users")
      fs.rmSync(users, { recursive: true, force: true })
      fs.writeFileSync(users, "")
      const refused = await effectpg(["dev", ...sql("SELECT 1 AS n")], { cwd, env })
      assert.strictEqual(
        refused.stderr,
        `${users}: a part of this path is a file, where a folder is expected. Correct the path, or remove the file.\n`
      )
      assert.strictEqual(refused.exitCode, 2)
      fs.rmSync(path.join(cwd, ".effectpg", "port"))
      fs.mkdirSync(path.join(cwd, ".effectpg", "port"))
      const noPort = await effectpg(["dev", ...sql("SELECT 1 AS n")], { cwd, env })
      assert.strictEqual(
        noPort.stderr,
        `${path.join(cwd, ".effectpg", "port")}: this is a folder, where a file is expected. Correct the path.\n`
      )
      assert.strictEqual(noPort.exitCode, 2)
      assert.deepStrictEqual(processesOf(cwd), [])
    }
  )

  it("passes signals to its command, and waits for it", { timeout: PROCESS_TIMEOUT_MILLIS }, async () => {
    const cwd = project()
    const script =
      "process.on('SIGTERM', () => setTimeout(() => process.exit(3), 300)); setInterval(() => {}, 1000); console.log('up')"
    const patient = await running(cwd, "up", "--", process.execPath, "-e", script)
    patient.child.kill("SIGTERM")
    assert.strictEqual(await patient.exited, 3)
    const plain = await running(
      cwd,
      "up",
      "--",
      process.execPath,
      "-e",
      "setInterval(() => {}, 1000); console.log('up')"
    )
    plain.child.kill("SIGINT")
    assert.strictEqual(await plain.exited, 130)
    assert.deepStrictEqual(processesOf(cwd), [])
  })

  it(
    "says so if the command, the folder or the port cannot be had, or the server ends",
    { timeout: PROCESS_TIMEOUT_MILLIS },
    async () => {
      const cwd = project()
      assert.deepStrictEqual(await dev(cwd, "--", "no-such-command"), {
        stdout: "",
        stderr: "no-such-command: there is no such command.\n",
        exitCode: 127
      })
      assert.deepStrictEqual(await dev(cwd, "--", ""), {
        stdout: "",
        stderr: "An empty text: there is no such command.\n",
        exitCode: 127
      })
      fs.writeFileSync(path.join(cwd, "file"), "")
      assert.deepStrictEqual(await dev(cwd, "--", "./file/x"), {
        stdout: "",
        stderr: "./file/x: spawn ENOTDIR\n",
        exitCode: 126
      })
      const noFolder = await dev(cwd, "--directory", "file")
      assert.deepStrictEqual({ exitCode: noFolder.exitCode, stdout: noFolder.stdout }, { exitCode: 2, stdout: "" })
      const listener = net.createServer()
      await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
      const address = listener.address()
      assert.isObject(address)
      const port = typeof address === "object" ? address?.port : undefined
      assert.deepStrictEqual(await dev(cwd, "--port", String(port)), {
        stdout: "",
        stderr: `Port ${port} is in use by another program. Choose another one with --port.\n`,
        exitCode: 1
      })
      await new Promise((resolve) => listener.close(resolve))
      const server = await running(cwd, "until you press Ctrl-C")
      const pid = Number(fs.readFileSync(path.join(cwd, ".effectpg", "data", "postmaster.pid"), "utf8").split("\n")[0])
      process.kill(pid, "SIGQUIT")
      assert.strictEqual(await server.exited, 1)
      assert.include(server.said(), "The server has ended. Its log is in ")
    }
  )
})
