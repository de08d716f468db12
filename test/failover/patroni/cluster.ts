/**
 * A Patroni cluster of three servers on this machine, with etcd and HAProxy, from the packages of the operating system.
 * Patroni itself promotes and demotes; a test only asks for a switchover, kills or freezes.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as http from "node:http"
import * as os from "node:os"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import type * as PgConfig from "../../../src/PgConfig.ts"
import { freePort } from "../../../src/testServer/freePort.ts"
import { NOBODY } from "../../../src/testServer/installation.ts"

const HOSTS = ["127.0.0.21", "127.0.0.22", "127.0.0.23"] as const
const PATIENCE_MILLIS = 90_000
const PASSWORD = "secret"

/** How soon Patroni takes a leader for lost, in seconds. These are the shortest times with which it is stable. */
const TIMES = { ttl: 10, loop_wait: 1, retry_timeout: 3 }

/** The programs that are needed, or what is missing. */
export const programs = (): { readonly missing: ReadonlyArray<string>; readonly bin: string } => {
  const versions = fs.existsSync("/usr/lib/postgresql") ? fs.readdirSync("/usr/lib/postgresql") : []
  const bin = path.join("/usr/lib/postgresql", versions.sort((a, b) => Number(b) - Number(a))[0] ?? "none", "bin")
  const places = (process.env["PATH"] ?? "").split(":")
  const missing = ["patroni", "etcd", "haproxy"].filter(
    (program) => !places.some((directory) => fs.existsSync(path.join(directory, program)))
  )
  if (!fs.existsSync(path.join(bin, "pg_rewind"))) missing.push("postgresql")
  return { missing, bin }
}

export class PatroniMember {
  readonly name: string
  readonly host: string
  private readonly cluster: PatroniCluster
  private readonly data: string
  private readonly file: string
  private patroni: ChildProcess | undefined

  constructor(cluster: PatroniCluster, index: number, bin: string) {
    this.cluster = cluster
    this.name = `p${index + 1}`
    this.host = HOSTS[index] ?? ""
    const home = cluster.directory(this.name)
    this.data = path.join(home, "data")
    this.file = path.join(home, "patroni.yml")
    fs.writeFileSync(this.file, JSON.stringify(this.configuration(bin, home)))
  }

  private configuration(bin: string, home: string): unknown {
    const { etcdPort, port, restPort } = this.cluster
    const rest = `${this.host}:${restPort}`
    const address = `${this.host}:${port}`
    const superuser = { username: "postgres", password: PASSWORD }
    return {
      scope: "effectpg",
      name: this.name,
      restapi: { listen: rest, connect_address: rest },
      etcd3: { host: `127.0.0.1:${etcdPort}` },
      bootstrap: {
        dcs: {
          ...TIMES,
          maximum_lag_on_failover: 1_048_576,
          synchronous_mode: true,
          postgresql: {
            use_pg_rewind: true,
            parameters: { fsync: "off", wal_log_hints: "on", shared_buffers: "16MB", max_connections: 60 }
          }
        },
        initdb: [{ encoding: "UTF8" }, { locale: "C" }]
      },
      postgresql: {
        listen: address,
        connect_address: address,
        data_dir: this.data,
        bin_dir: bin,
        pgpass: path.join(home, "pgpass"),
        pg_hba: ["host all all all trust", "host replication all all trust"],
        authentication: { superuser, replication: { username: "replicator", password: PASSWORD }, rewind: superuser },
        parameters: { unix_socket_directories: home }
      }
    }
  }

  start(): void {
    this.patroni = this.cluster.launch(this.name, "patroni", [this.file])
  }

  /** Whether Patroni says that this server is what the path asks for, such as `/primary`. */
  is(what: string): Promise<boolean> {
    return answers(this.host, this.cluster.restPort, what)
  }

  /** Signals Patroni and all processes of its server. */
  signal(signal: NodeJS.Signals): void {
    const postmaster = Number(fs.readFileSync(path.join(this.data, "postmaster.pid"), "utf8").split("\n")[0])
    const parents = new Set([this.patroni?.pid, postmaster])
    const children = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number))
      .flatMap(([pid, parent]) => (pid !== undefined && parents.has(parent) ? [pid] : []))
    for (const pid of [this.patroni?.pid, postmaster, ...children]) {
      if (pid === undefined) continue
      try {
        process.kill(pid, signal)
      } catch {
        // It has just ended.
      }
    }
  }

  async query(sql: string): Promise<ReadonlyArray<Record<string, unknown>>> {
    const client = new pg.Client({ host: this.host, port: this.cluster.port, user: "postgres", database: "postgres" })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }
}

export class PatroniCluster {
  readonly port: number
  readonly restPort: number
  readonly etcdPort: number
  readonly proxyPort: number
  readonly members: ReadonlyArray<PatroniMember>
  private readonly home: string
  private readonly started: Array<ChildProcess> = []

  private constructor(bin: string, [port, restPort, etcdPort, proxyPort]: readonly [number, number, number, number]) {
    this.port = port
    this.restPort = restPort
    this.etcdPort = etcdPort
    this.proxyPort = proxyPort
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-patroni-"))
    fs.chmodSync(this.home, 0o755)
    this.members = HOSTS.map((_, index) => new PatroniMember(this, index, bin))
  }

  static async start(bin: string): Promise<PatroniCluster> {
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const
    const cluster = new PatroniCluster(bin, ports)
    try {
      await cluster.startEtcd()
      for (const member of cluster.members) member.start()
      await cluster.untilWhole()
      await cluster.startProxy()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  private async startEtcd(): Promise<void> {
    const client = `http://127.0.0.1:${this.etcdPort}`
    const peer = `http://127.0.0.1:${await freePort()}`
    const directory = this.directory("etcd")
    const options = [
      ["--data-dir", path.join(directory, "data")],
      ["--name", "etcd"],
      ["--unsafe-no-fsync"],
      ["--listen-client-urls", client],
      ["--advertise-client-urls", client],
      ["--listen-peer-urls", peer],
      ["--initial-advertise-peer-urls", peer],
      ["--initial-cluster", `etcd=${peer}`]
    ]
    this.launch("etcd", "etcd", options.flat())
    await until("etcd", () => answers("127.0.0.1", this.etcdPort, "/health"))
  }

  /** As Patroni's documentation has it: the port of the primary leads to the server that says that it is the primary. */
  private async startProxy(): Promise<void> {
    const { port, proxyPort, restPort } = this
    const file = path.join(this.directory("haproxy"), "haproxy.cfg")
    fs.writeFileSync(
      file,
      [
        "defaults",
        "  mode tcp",
        "  retries 2",
        "  timeout client 30m",
        "  timeout connect 2s",
        "  timeout server 30m",
        "  timeout check 1s",
        "listen primary",
        `  bind 127.0.0.1:${proxyPort}`,
        "  option httpchk OPTIONS /primary",
        "  http-check expect status 200",
        "  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions",
        ...HOSTS.map((host, index) => `  server p${index + 1} ${host}:${port} maxconn 100 check port ${restPort}`),
        ""
      ].join("\n")
    )
    this.launch("haproxy", "haproxy", ["-f", file, "-db"])
    await until("HAProxy", async () => {
      const client = new pg.Client({ host: "127.0.0.1", port: proxyPort, user: "postgres", database: "postgres" })
      client.on("error", () => {})
      return client.connect().then(
        () => client.end().then(() => true),
        () => false
      )
    })
  }

  /** All servers, as a host list. */
  get hostList(): PgConfig.PoolSettings {
    return { ...CREDENTIALS, host: HOSTS, port: this.port, targetSessionAttrs: "read-write" }
  }

  get proxy(): PgConfig.PoolSettings {
    return { ...CREDENTIALS, host: "127.0.0.1", port: this.proxyPort }
  }

  async leader(): Promise<PatroniMember | undefined> {
    for (const member of this.members) if (await member.is("/primary")) return member
    return undefined
  }

  /** Waits for another leader than `old`, and returns it with the moment at which it said so. */
  async newLeader(old: PatroniMember): Promise<{ readonly leader: PatroniMember; readonly at: number }> {
    let leader: PatroniMember | undefined
    await until("a new leader", async () => {
      const others = this.members.filter((member) => member !== old)
      const answers = await Promise.all(others.map((member) => member.is("/primary")))
      leader = others[answers.indexOf(true)]
      return leader !== undefined
    })
    if (leader === undefined) throw new Error("there is no leader")
    return { leader, at: performance.now() }
  }

  /** Asks Patroni for a planned change of the leader. */
  async switchOver(leader: PatroniMember, candidate: PatroniMember): Promise<void> {
    const body = JSON.stringify({ leader: leader.name, candidate: candidate.name })
    const answer = await fetch(`http://${leader.host}:${this.restPort}/switchover`, { method: "POST", body })
    if (!answer.ok) throw new Error(`the switchover was refused: ${await answer.text()}`)
  }

  async synchronousStandby(): Promise<PatroniMember> {
    for (const member of this.members) if (await member.is("/sync")) return member
    throw new Error("there is no synchronous standby")
  }

  /** Waits until there are a leader and two standbys that follow it, one of them synchronous. */
  untilWhole(): Promise<void> {
    return until("a leader with two standbys", async () => {
      const leader = await this.leader()
      if (leader === undefined) return false
      const rows = await leader.query("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
      if (rows.length < 2 || !rows.some((row) => row["sync_state"] === "sync")) return false
      return (await Promise.all(this.members.map((member) => member.is("/sync")))).includes(true)
    })
  }

  directory(name: string): string {
    const directory = path.join(this.home, name)
    fs.mkdirSync(directory, { recursive: true, mode: 0o755 })
    if (process.getuid?.() === 0) fs.chownSync(directory, NOBODY, NOBODY)
    return directory
  }

  launch(name: string, program: string, args: ReadonlyArray<string>): ChildProcess {
    const log = fs.openSync(path.join(this.directory(name), "log"), "a")
    const child = spawn(program, args, {
      cwd: this.directory(name),
      env: { PATH: process.env["PATH"], HOME: this.directory(name), LC_ALL: "C", TZ: "UTC" },
      stdio: ["ignore", log, log],
      ...(process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {})
    })
    child.on("error", (error) => fs.writeSync(log, String(error)))
    this.started.push(child)
    return child
  }

  async stop(): Promise<void> {
    for (const member of this.members) {
      try {
        member.signal("SIGKILL")
      } catch {
        // It was never started.
      }
    }
    for (const child of this.started) child.kill("SIGKILL")
    await sleep(200)
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}

const CREDENTIALS = { user: "postgres", database: "postgres", sslMode: "disable" } as const

/** Whether an HTTP server answers with 200, and soon. */
const answers = (host: string, port: number, what: string): Promise<boolean> =>
  new Promise((resolve) => {
    const request = http.get({ host, port, path: what, timeout: 500, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resolve(false))
  })

const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + PATIENCE_MILLIS
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`)
    await sleep(20)
  }
}
