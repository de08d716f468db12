/**
 * A primary and a standby that copies its failover slots: the primary crashes, the standby is promoted, and a stream goes on
 * there with every transaction.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as fs from "node:fs"
import * as path from "node:path"
import { inject } from "vitest"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { Node } from "../failover/rig/node.ts"
import { freePort } from "../../src/testServer/freePort.ts"
import { eventually } from "../support/live.ts"
import { createRoles, pgHba, serverFlags, superuser } from "../support/server/cluster.ts"
import { initialise } from "../../src/testServer/embedded.ts"
import { readableBy, serverUid, temporaryDirectory } from "../../src/testServer/installation.ts"
import { installedServer } from "../support/server/embedded.ts"

const HOSTS = ["127.0.0.21", "127.0.0.22"] as const
const FAILOVER_SLOTS_SINCE = 17
const TIMEOUT_MILLIS = 120_000

const uid = serverUid()

const makeNode = (host: string, port: number, native: (directory: string) => string): Node => {
  const directory = fs.mkdtempSync(path.join(temporaryDirectory(), "effectpg-"))
  if (uid !== undefined) fs.chownSync(directory, uid, uid)
  const hba = path.join(directory, "pg_hba.conf")
  fs.writeFileSync(hba, `host replication all all trust\nhost all postgres all trust\n${pgHba}`, { mode: 0o644 })
  const name = host.replaceAll(".", "_")
  return new Node({
    name,
    host,
    port,
    directory,
    uid,
    postgres: path.join(native(directory), "bin", "postgres"),
    flags: serverFlags({
      port: String(port),
      listen_addresses: host,
      unix_socket_directories: directory,
      hba_file: hba,
      ssl: "off",
      wal_level: "logical",
      hot_standby_feedback: "on",
      sync_replication_slots: "on",
      synchronized_standby_slots: host === HOSTS[0] ? "physical" : "",
      wal_keep_size: "64MB",
      wal_receiver_timeout: "2s"
    })
  })
}

/** Two servers; the second follows the first. */
const startPair = async (): Promise<readonly [Node, Node]> => {
  const port = await freePort()
  const native = (directory: string): string => readableBy(uid, installedServer(), directory)
  const [primary, standby] = [makeNode(HOSTS[0], port, native), makeNode(HOSTS[1], port, native)]
  const directory = path.dirname(primary.data)
  const password = path.join(directory, "password")
  fs.writeFileSync(password, superuser.password, { mode: 0o644 })
  await initialise(path.join(native(directory), "bin", "initdb"), uid, directory, [
    `--pgdata=${primary.data}`,
    `--username=${superuser.user}`,
    `--pwfile=${password}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync"
  ])
  await primary.start()
  await createRoles({ host: primary.host, port, ...superuser, ca: undefined, unixSocketDir: undefined })
  await primary.query("SELECT pg_create_physical_replication_slot('physical', true)")
  await standby.cloneFrom(primary)
  const source = `host=${primary.host} port=${port} user=${superuser.user} dbname=${superuser.database} sslmode=disable`
  fs.appendFileSync(
    path.join(standby.data, "postgresql.auto.conf"),
    `primary_conninfo = '${source}'\nprimary_slot_name = 'physical'\n`
  )
  await standby.start()
  return [primary, standby]
}

const pair = Effect.acquireRelease(Effect.promise(startPair), (nodes) =>
  Effect.promise(() => Promise.all(nodes.map((node) => node.stop())))
)

describe("a failover slot", () => {
  it.live(
    "is read on from the promoted standby, and no transaction is missing or comes twice",
    () =>
      Effect.gen(function* () {
        if (inject("serverMajor") < FAILOVER_SLOTS_SINCE) return
        const [primary, standby] = yield* pair
        const settings = {
          host: HOSTS,
          port: primary.port,
          user: superuser.user,
          database: superuser.database,
          sslMode: "disable",
          targetSessionAttrs: "read-write",
          connectTimeout: "2 seconds"
        } as const
        const options = { connection: settings, slot: "s", publications: ["p"], serverTimeout: "4 seconds" } as const
        yield* Effect.scoped(
          Effect.gen(function* () {
            const pg = yield* PgConnection.make(settings)
            yield* pg.executeScript("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t")
            yield* PgReplication.createSlot(settings, { slot: "s", failover: true })
          })
        )
        const ids: Array<unknown> = []
        const reading = yield* PgReplication.run(options, (transaction) =>
          Effect.map(transaction.allChanges, (changes) =>
            ids.push(...changes.map((change) => (change._tag === "Insert" ? change.row["id"] : change._tag)))
          )
        ).pipe(Effect.forkScoped)
        const insert = (from: number, to: number) =>
          Effect.scoped(
            Effect.gen(function* () {
              const pg = yield* PgConnection.make(settings)
              yield* pg.execute("SET synchronous_commit = on")
              for (let id = from; id <= to; id++) yield* pg.execute("INSERT INTO t VALUES ($1)", [id])
            })
          )
        yield* insert(1, 50)
        yield* eventually(
          Effect.sync(() => ids.length),
          50,
          30_000
        )
        // The standby takes a slot over once its own log and catalog have come that far.
        yield* eventually(
          Effect.promise(async () => {
            await primary.query("SELECT pg_log_standby_snapshot()")
            const [slot] = await standby.query(
              "SELECT synced AND NOT temporary AS ready FROM pg_replication_slots WHERE slot_name = 's'"
            )
            return slot?.["ready"]
          }),
          true,
          60_000
        )
        yield* Effect.promise(() => primary.shutDown("crash"))
        yield* Effect.promise(() => standby.promote())
        yield* insert(51, 100)
        yield* eventually(
          Effect.sync(() => ids.length),
          100,
          30_000
        )
        assert.deepStrictEqual(
          ids,
          Array.from({ length: 100 }, (_, index) => index + 1)
        )
        yield* Fiber.interrupt(reading)
        const left = yield* Effect.scoped(Effect.flatMap(PgConnection.make(settings), PgReplication.slots))
        assert.deepInclude(
          left.find(({ slot }) => slot === "s"),
          { active: false, plugin: "pgoutput", temporary: false }
        )
      }).pipe(Effect.scoped),
    TIMEOUT_MILLIS
  )
})
