/**
 * One server of a cluster: a process of its own at a stable address, which can be stopped, killed, frozen, promoted and
 * started again. A server that crashed is made anew from another one before it is started as a standby.
 */
import type { ChildProcess } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import { DOWN, launchGuardian } from "../../../src/testServer/embedded.ts"
import { superuser } from "../../support/server/cluster.ts"

const START_TIMEOUT_MILLIS = 60_000
const POLL_MILLIS = 10

/** A primary says the first, a standby the second. */
const READY = /database system is ready to accept (?:read-only )?connections/

export interface NodeOptions {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly directory: string
  /** The user of the server's processes; undefined to stay the user of this process. */
  readonly uid: number | undefined
  /** The server's program. */
  readonly postgres: string
  readonly flags: ReadonlyArray<string>
}

/** A statement of the administration is given up after this time, because its server may be frozen. */
const ADMINISTRATION_MILLIS = 60_000

export class Node {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly data: string
  private readonly options: NodeOptions
  private readonly logFile: string
  private guardian: ChildProcess | undefined
  private isDown = true
  private isFrozen = false

  constructor(options: NodeOptions) {
    this.options = options
    this.name = options.name
    this.host = options.host
    this.port = options.port
    this.data = path.join(options.directory, "data")
    this.logFile = path.join(options.directory, "log")
  }

  get isRunning(): boolean {
    return !this.isDown
  }

  /** Starts the server, and ends when it accepts connections. */
  async start(): Promise<void> {
    const since = this.log.length
    this.isDown = false
    if (this.guardian === undefined) this.guardian = this.launch()
    else this.order("start")
    await this.untilLogged(READY, since)
  }

  private launch(): ChildProcess {
    const { directory, flags, postgres, uid } = this.options
    const guardian = launchGuardian(uid, directory, "remove", postgres, ["-D", this.data, ...flags])
    guardian.unref()
    return guardian
  }

  /**
   * Ends the server: `fast` disconnects the clients and hands all changes to the standbys, `immediate` tells the clients
   * and stops, `crash` kills all processes, which tell nobody.
   */
  async shutDown(mode: "fast" | "immediate" | "crash"): Promise<void> {
    const since = this.log.length
    this.order(mode === "fast" ? "SIGINT" : mode === "immediate" ? "SIGQUIT" : "SIGKILL")
    await this.untilLogged(new RegExp(DOWN), since)
    this.isDown = true
  }

  get isAnswering(): boolean {
    return this.isRunning && !this.isFrozen
  }

  /** From now on the server says nothing. The system still accepts connections in its name. */
  async freeze(): Promise<void> {
    this.order("SIGSTOP")
    this.isFrozen = true
    await sleep(ORDER_MILLIS)
  }

  async thaw(): Promise<void> {
    this.order("SIGCONT")
    this.isFrozen = false
    await sleep(ORDER_MILLIS)
  }

  /** Makes a standby a primary, and ends when it is one. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote(true, 60)")
  }

  /** A standby of that primary: from now on, or from the next start. */
  async follow(primary: Node): Promise<void> {
    const { host, name, port } = primary
    const address = `host=${host} port=${port} user=${superuser.user} application_name=${this.name} sslmode=disable`
    fs.appendFileSync(path.join(this.data, "postgresql.auto.conf"), `primary_conninfo = '${address}' # ${name}\n`)
    if (this.isRunning) await this.query("SELECT pg_reload_conf()")
    else this.place("standby.signal", "")
  }

  async isStandby(): Promise<boolean> {
    const [row] = await this.query("SELECT pg_is_in_recovery() AS standby")
    return row?.["standby"] === true
  }

  /** Runs a statement as superuser, on a connection of its own. */
  async query(sql: string, values: ReadonlyArray<unknown> = []): Promise<ReadonlyArray<Record<string, unknown>>> {
    const client = new pg.Client({ ...this.address, query_timeout: ADMINISTRATION_MILLIS })
    client.on("error", () => {})
    await client.connect()
    try {
      const { rows } = await client.query<Record<string, unknown>>(sql, [...values])
      return rows
    } finally {
      await client.end()
    }
  }

  private get address() {
    return { host: this.host, port: this.port, ...superuser, ssl: false }
  }

  /** Replaces the data of this server, which must not run, by a copy of another's, which runs. */
  async cloneFrom(source: Node): Promise<void> {
    for (const entry of fs.existsSync(this.data) ? fs.readdirSync(this.data) : []) {
      fs.rmSync(path.join(this.data, entry), { recursive: true, force: true })
    }
    const client = new pg.Client(source.address)
    await client.connect()
    try {
      await client.query("SELECT pg_backup_start($1, true)", [this.name])
      copyTree(source.data, this.data, NOT_COPIED)
      const { rows } = await client.query<{ readonly labelfile: string }>("SELECT labelfile FROM pg_backup_stop(false)")
      this.place("backup_label", rows[0]?.labelfile ?? "")
    } finally {
      await client.end()
    }
    await this.follow(source)
    this.own(this.data)
  }

  private own(place: string): void {
    const { uid } = this.options
    if (uid === undefined) return
    fs.chownSync(place, uid, uid)
    for (const entry of fs.readdirSync(place, { recursive: true, encoding: "utf8" })) {
      fs.lchownSync(path.join(place, entry), uid, uid)
    }
  }

  private place(name: string, content: string): void {
    const file = path.join(this.data, name)
    fs.writeFileSync(file, content, { mode: 0o600 })
    if (this.options.uid !== undefined) fs.chownSync(file, this.options.uid, this.options.uid)
  }

  /** Ends the server for good, and removes its directory. */
  async stop(): Promise<void> {
    const { guardian } = this
    if (guardian === undefined || guardian.exitCode !== null) return
    guardian.ref()
    const exited = new Promise<void>((resolve) => guardian.once("exit", () => resolve()))
    guardian.stdin?.end()
    await exited
  }

  private order(order: string): void {
    this.guardian?.stdin?.write(`${order}\n`)
  }

  get log(): string {
    return fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, "utf8") : ""
  }

  private async untilLogged(text: RegExp, since: number): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MILLIS
    for (let log = this.log; !text.test(log.slice(since)); log = this.log) {
      if (this.guardian?.exitCode !== null) throw new Error(`${this.name} has ended\n${log.slice(since)}`)
      if (Date.now() > deadline) throw new Error(`${this.name} has not said ${String(text)}\n${log.slice(since)}`)
      await sleep(POLL_MILLIS)
    }
  }
}

/** The guardian carries out an order within this time. It does not report this one. */
const ORDER_MILLIS = 150

/** A copy starts without the source's log, which it gets by streaming, and without what says that the source runs. */
const NOT_COPIED: ReadonlySet<string> = new Set(["postmaster.pid", "postmaster.opts", "pg_wal", "pg_replslot"])

/** Files may vanish while they are copied, because the server goes on. */
const copyTree = (from: string, to: string, left: ReadonlySet<string>): void => {
  fs.mkdirSync(to, { recursive: true, mode: 0o700 })
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const target = path.join(to, entry.name)
    if (left.has(entry.name)) {
      if (entry.isDirectory()) fs.mkdirSync(target, { recursive: true, mode: 0o700 })
    } else if (entry.isDirectory()) {
      copyTree(path.join(from, entry.name), target, left)
    } else {
      try {
        fs.copyFileSync(path.join(from, entry.name), target)
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error
      }
    }
  }
}
