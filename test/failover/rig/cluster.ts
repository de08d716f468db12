/**
 * A primary and two standbys on real servers, of which one has to have every change before it is acknowledged. Each has
 * an address of its own (127.0.0.11, 127.0.0.12, 127.0.0.13) and all have the same port, so that a host list, a name
 * with several addresses and a name that moves can all be tested.
 *
 * Nothing promotes a server but the test.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type * as PgConfig from "../../../src/PgConfig.ts"
import { initialise } from "../../../src/testServer/embedded.ts"
import { readableBy, serverUid } from "../../../src/testServer/installation.ts"
import { makeDirectory } from "../../../src/testServer/leftovers.ts"
import { createRoles, pgHba, serverFlags, superuser } from "../../support/server/cluster.ts"
import { installedServer } from "../../support/server/embedded.ts"
import { Node } from "./node.ts"

const HOSTS = ["127.0.0.11", "127.0.0.12", "127.0.0.13"] as const
/** It needs no password, so that many connections open quickly. */
const USER = "trust_user"
const PATIENCE_MILLIS = 30_000
const POLL_MILLIS = 20

/** A change of the primary. */
export interface Change {
  readonly old: Node
  readonly primary: Node
  /** When the promotion had ended, by `performance.now()`. */
  readonly promotedAt: number
}

export class Cluster {
  /** The first is the primary at the beginning. */
  readonly nodes: readonly [Node, Node, Node]
  readonly port: number

  constructor(nodes: readonly [Node, Node, Node], port: number) {
    this.nodes = nodes
    this.port = port
  }

  /** How to reach all servers, in the order of `nodes`, as a superuser without a password. */
  get settings(): PgConfig.PoolSettings {
    return { host: HOSTS, port: this.port, user: USER, database: superuser.database, sslMode: "disable" }
  }

  /** The server that takes writes. Fails if there is none. */
  async primary(): Promise<Node> {
    for (const node of this.answering) if (!(await node.isStandby())) return node
    throw new Error("the cluster has no primary")
  }

  async standbys(): Promise<ReadonlyArray<Node>> {
    const standbys: Array<Node> = []
    for (const node of this.answering) if (await node.isStandby()) standbys.push(node)
    return standbys
  }

  private get answering(): ReadonlyArray<Node> {
    return this.nodes.filter(({ isAnswering }) => isAnswering)
  }

  /** The standby that has received the most. It has every change that was acknowledged. */
  async mostAdvanced(standbys: ReadonlyArray<Node>): Promise<Node> {
    const received = await Promise.all(
      standbys.map(async (node) => {
        const [row] = await node.query("SELECT (pg_last_wal_receive_lsn() - '0/0'::pg_lsn)::float8 AS bytes")
        return { node, bytes: Number(row?.["bytes"]) }
      })
    )
    const [best] = received.sort((a, b) => b.bytes - a.bytes)
    if (best === undefined) throw new Error("there is no standby")
    return best.node
  }

  /**
   * Stops the primary and makes a standby the primary, which the others then follow. Returns when the promotion had
   * ended, by `performance.now()`.
   */
  async replace(end: (primary: Node) => Promise<void>, choice?: Node): Promise<Change> {
    const [old, standbys] = [await this.primary(), await this.standbys()]
    await end(old)
    const primary = choice ?? (await this.mostAdvanced(standbys))
    await primary.promote()
    const promotedAt = performance.now()
    for (const node of standbys) if (node !== primary) await node.follow(primary)
    return { old, primary, promotedAt }
  }

  /** Kills the primary, and promotes the standby that has received the most. */
  failOver(mode: "crash" | "immediate" = "crash"): Promise<Change> {
    return this.replace((old) => old.shutDown(mode))
  }

  /** A planned change: stops the primary in order, promotes another, and takes the old one back as a standby. */
  async switchOver(promoted: (primary: Node) => void = () => {}, choice?: Node): Promise<Change> {
    const change = await this.replace((old) => old.shutDown("fast"), choice)
    promoted(change.primary)
    await change.old.follow(change.primary)
    await change.old.start()
    return change
  }

  /** Makes a server that has crashed, or is out of step, a standby again, with a fresh copy of the primary's data. */
  async rejoin(node: Node): Promise<void> {
    if (node.isRunning) await node.shutDown("immediate")
    await node.cloneFrom(await this.primary())
    await node.start()
  }

  /** Waits until so many standbys follow the primary. */
  async untilStreaming(standbys = 2): Promise<void> {
    const primary = await this.primary()
    const deadline = Date.now() + PATIENCE_MILLIS
    for (;;) {
      const [row] = await primary.query("SELECT count(*)::int AS n FROM pg_stat_replication WHERE state = 'streaming'")
      if (Number(row?.["n"]) >= standbys) return
      if (Date.now() > deadline) throw new Error(`fewer than ${standbys} standbys follow ${primary.name}`)
      await sleep(POLL_MILLIS)
    }
  }

  /** Waits until the standbys show everything that the primary has committed. */
  async untilReplayed(): Promise<void> {
    const [row] = await (await this.primary()).query("SELECT pg_current_wal_flush_lsn()::text AS lsn")
    const deadline = Date.now() + PATIENCE_MILLIS
    for (const standby of await this.standbys()) {
      for (;;) {
        const [replayed] = await standby.query("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS it", [row?.["lsn"]])
        if (replayed?.["it"] === true) break
        if (Date.now() > deadline) throw new Error(`${standby.name} does not keep up`)
        await sleep(POLL_MILLIS)
      }
    }
  }

  /** How many standbys must have a change before it is acknowledged: one, or none. */
  async requireStandby(isRequired: boolean): Promise<void> {
    const names = isRequired ? `ANY 1 (${this.nodes.map(({ name }) => name).join(", ")})` : ""
    for (const node of this.answering) {
      await node.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`)
      await node.query("SELECT pg_reload_conf()")
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }
}

/** The servers, until the scope closes. */
export const cluster: Effect.Effect<Cluster, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => start()),
  (started) => Effect.promise(() => started.stop())
)

/** The servers of a test file: `layer(Servers.layer, { excludeTestServices: true })("...", (it) => ...)`. */
export class Servers extends Context.Service<Servers, Cluster>()("effectpg/test/Servers") {
  static readonly layer: Layer.Layer<Servers> = Layer.effect(Servers, cluster)
}

const start = async (): Promise<Cluster> => {
  const uid = serverUid()
  const port = await freePort()
  const home = makeDirectory()
  const make = (index: 0 | 1 | 2, native: string): Node => {
    const name = `n${index + 1}`
    const directory = index === 0 ? home : makeDirectory()
    if (uid !== undefined) fs.chownSync(directory, uid, uid)
    const hba = path.join(directory, "pg_hba.conf")
    fs.writeFileSync(hba, `host replication all all trust\n${pgHba}`, { mode: 0o644 })
    return new Node({
      name,
      host: HOSTS[index],
      port,
      directory,
      uid,
      postgres: path.join(native, "bin", "postgres"),
      flags: serverFlags({
        port: String(port),
        listen_addresses: HOSTS[index],
        unix_socket_directories: directory,
        hba_file: hba,
        ssl: "off",
        cluster_name: name,
        synchronous_commit: "on",
        wal_keep_size: "64MB",
        wal_retrieve_retry_interval: "100ms",
        wal_receiver_timeout: "1s"
      })
    })
  }
  if (uid !== undefined) fs.chownSync(home, uid, uid)
  const native = readableBy(uid, installedServer(), home)
  const nodes = [make(0, native), make(1, native), make(2, native)] as const
  const started = new Cluster(nodes, port)
  try {
    await begin(started, native, home, uid)
    return started
  } catch (error) {
    await started.stop()
    throw error
  }
}

const begin = async (started: Cluster, native: string, home: string, uid: number | undefined): Promise<void> => {
  const [first, ...others] = started.nodes
  const password = path.join(home, "password")
  fs.writeFileSync(password, superuser.password, { mode: 0o644 })
  await initialise(path.join(native, "bin", "initdb"), uid, home, [
    `--pgdata=${first.data}`,
    `--username=${superuser.user}`,
    `--pwfile=${password}`,
    "--wal-segsize=1",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync"
  ])
  await first.start()
  await createRoles({ host: first.host, port: first.port, ...superuser, ca: undefined, unixSocketDir: undefined })
  await first.query(`ALTER ROLE ${USER} SUPERUSER`)
  for (const node of others) await node.cloneFrom(first)
  await Promise.all(others.map((node) => node.start()))
  await started.untilStreaming()
  await started.requireStandby(true)
}

/** A port that is free at all addresses. */
const freePort = async (): Promise<number> => {
  for (;;) {
    const port = await listenOn(HOSTS[0], 0)
    if (port === undefined) throw new Error(`cannot listen on ${HOSTS[0]}`)
    const others = await Promise.all(HOSTS.slice(1).map((host) => listenOn(host, port)))
    if (!others.includes(undefined)) return port
  }
}

/** The port, if it is free. */
const listenOn = (host: string, port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const listener = net.createServer()
    listener.once("error", () => resolve(undefined))
    listener.listen(port, host, () => {
      const address = listener.address()
      listener.close(() => resolve(typeof address === "object" ? address?.port : undefined))
    })
  })
