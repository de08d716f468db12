/** Tests which server a connection and a pool choose by role, and what a pool does if a server changes its role. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgConfig from "../../src/PgConfig.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import { Lookup } from "../../src/session/opening/lookup.ts"
import { assertHealthy, eventually, valueOf } from "../support/live.ts"
import { type Cluster, Servers } from "./rig/cluster.ts"

const TEST_TIMEOUT_MILLIS = 120_000
const WHERE = "SELECT host(inet_server_addr())"

/** The address of the server that a connection with these settings reaches. */
const reached = (servers: Cluster, settings: PgConfig.Settings) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make({ ...servers.settings, ...settings }), (connection) => valueOf(connection, WHERE))
  )

const asConnectError = (error: PgError.PgError): PgError.ConnectError =>
  error._tag === "ConnectError" ? error : assert.fail(`${String(error)} is no ConnectError`)

/** The primary is the first host, so that a connection that wants a standby has to pass it over. */
const withFirstPrimary = (servers: Cluster): Effect.Effect<void> =>
  Effect.promise(async () => {
    const [first] = servers.nodes
    if ((await servers.primary()) === first) return
    await servers.switchOver(() => {}, first)
    await servers.untilStreaming()
  })

layer(Servers.layer, { excludeTestServices: true })("a connection", (it) => {
  it.effect(
    "reaches the first host with the role that it wants",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* withFirstPrimary(servers)
        const [primary, standby] = servers.nodes.map(({ host }) => host)
        for (const [targetSessionAttrs, host] of [
          ["any", primary],
          ["read-write", primary],
          ["read-only", standby],
          ["primary", primary],
          ["standby", standby],
          ["prefer-standby", standby]
        ] as const) {
          assert.strictEqual(yield* reached(servers, { targetSessionAttrs }), host, targetSessionAttrs)
        }
        const reversed = servers.nodes.map(({ host }) => host).toReversed()
        assert.strictEqual(yield* reached(servers, { host: reversed, targetSessionAttrs: "primary" }), primary)
        assert.strictEqual(yield* reached(servers, { host: reversed, targetSessionAttrs: "read-write" }), primary)
      }),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "finds the role among the addresses of one name, and connects to hostaddr without looking a name up",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* withFirstPrimary(servers)
        const [primary = "", standby = "", last = ""] = servers.nodes.map(({ host }) => host)
        let lookups = 0
        const lookup = () => {
          lookups++
          return Effect.succeed([standby, last, primary])
        }
        const found = reached(servers, { host: "cluster.test", targetSessionAttrs: "read-write" })
        assert.strictEqual(yield* Effect.provideService(found, Lookup, lookup), primary)
        assert.strictEqual(lookups, 1)
        const given = reached(servers, { host: "cluster.test", hostaddr: last })
        assert.strictEqual(yield* Effect.provideService(given, Lookup, lookup), last)
        assert.strictEqual(lookups, 1)
      }),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "fails with a list of all hosts, their addresses and what they are, if none has the role",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* withFirstPrimary(servers)
        const [primary = "", ...standbys] = servers.nodes.map(({ host }) => host)
        const wanted = { host: "standbys.test", targetSessionAttrs: "primary" } as const
        const none = asConnectError(
          yield* Effect.flip(reached(servers, wanted)).pipe(
            Effect.provideService(Lookup, () => Effect.succeed(standbys))
          )
        )
        assert.deepStrictEqual(
          none.attempts.map(({ address, host, port, stage }) => ({ address, host, port, stage })),
          standbys.map((address) => ({ address, host: "standbys.test", port: servers.port, stage: "startup" as const }))
        )
        for (const { reason } of none.attempts)
          assert.match(reason, /^is a standby, but targetSessionAttrs is primary$/)
        for (const address of standbys)
          assert.include(none.message, `standbys.test:${servers.port} (${address}), startup`)
        const only = asConnectError(
          yield* Effect.flip(reached(servers, { host: primary, targetSessionAttrs: "standby" }))
        )
        assert.match(only.attempts[0]?.reason ?? "", /^is a primary/)
        assert.strictEqual(yield* reached(servers, { host: primary, targetSessionAttrs: "prefer-standby" }), primary)
      }),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "does not take a primary for writable whose transactions are read-only by default",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* withFirstPrimary(servers)
        const [primary] = servers.nodes
        const setDefault = (value: string) =>
          Effect.promise(async () => {
            await primary.query(`ALTER ROLE trust_user SET default_transaction_read_only = ${value}`)
          })
        yield* setDefault("on")
        const error = asConnectError(yield* Effect.flip(reached(servers, { targetSessionAttrs: "read-write" })))
        assert.match(error.attempts[0]?.reason ?? "", /^is read-only, but/)
        assert.strictEqual(yield* reached(servers, { targetSessionAttrs: "read-only" }), primary.host)
        assert.strictEqual(yield* reached(servers, { targetSessionAttrs: "primary" }), primary.host)
        yield* setDefault("off")
        assert.strictEqual(yield* reached(servers, { targetSessionAttrs: "read-write" }), primary.host)
      }),
    TEST_TIMEOUT_MILLIS
  )
})

/** How many of the connections of a pool are at each server. */
const spread = (pool: PgPool.PgPool, connections: number) =>
  Effect.gen(function* () {
    const ask = pool.withConnection((connection) =>
      Effect.tap(valueOf(connection, WHERE), () => Effect.sleep("100 millis"))
    )
    const hosts = yield* Effect.all(
      Array.from({ length: connections }, () => ask),
      { concurrency: "unbounded" }
    )
    const counts = new Map<unknown, number>()
    for (const host of hosts) counts.set(host, (counts.get(host) ?? 0) + 1)
    return counts
  })

layer(Servers.layer, { excludeTestServices: true })("a pool", (it) => {
  it.effect(
    "spreads its connections over the standbys if loadBalanceHosts is random",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* withFirstPrimary(servers)
        const [, ...standbys] = servers.nodes.map(({ host }) => host)
        const settings = {
          ...servers.settings,
          targetSessionAttrs: "standby",
          loadBalanceHosts: "random",
          maxConnections: 16
        } as const
        const told: Array<string> = []
        for (let round = 0; round < 5; round++) {
          const counts = yield* Effect.scoped(Effect.flatMap(PgPool.make(settings), (pool) => spread(pool, 16)))
          told.push(standbys.map((host) => counts.get(host) ?? 0).join(":"))
          // 2:14 or better, in all but one of 2,000 rounds.
          for (const host of standbys) assert.isAtLeast(counts.get(host) ?? 0, round === 0 ? 2 : 1)
        }
        const addresses = yield* Effect.scoped(
          Effect.flatMap(PgPool.make({ ...settings, host: "standbys.test" }), (pool) => spread(pool, 16))
        ).pipe(Effect.provideService(Lookup, () => Effect.succeed(standbys)))
        for (const host of standbys) assert.isAtLeast(addresses.get(host) ?? 0, 1)
        console.log(`16 connections on two standbys: ${told.join(", ")}; as addresses of one name`, addresses)
      }),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "for standbys lends no session whose server has been promoted",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* withFirstPrimary(servers)
        const pool = yield* PgPool.make({
          ...servers.settings,
          targetSessionAttrs: "standby",
          maxConnections: 4
        })
        yield* spread(pool, 4)
        const before = yield* valueOf(pool, WHERE)
        const change = yield* Effect.promise(() =>
          servers.switchOver(
            () => {},
            servers.nodes.find(({ host }) => host === before)
          )
        )
        assert.strictEqual(change.primary.host, before)
        yield* Effect.promise(() => servers.untilStreaming())
        // The first answer says that the server is no standby any more, and all sessions to it are then in doubt.
        yield* valueOf(pool, WHERE)
        for (let call = 0; call < 20; call++) assert.notStrictEqual(yield* valueOf(pool, WHERE), before)
        assert.isFalse((yield* spread(pool, 4)).has(before))
        yield* assertHealthy(pool)
      }).pipe(Effect.scoped),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "for writes gives its sessions up if its server is made read-only, says so, and writes again afterwards",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        const primary = yield* Effect.promise(() => servers.primary())
        const pool = yield* PgPool.make({
          ...servers.settings,
          targetSessionAttrs: "read-write",
          maxConnections: 4,
          acquireTimeout: "1 second"
        })
        yield* spread(pool, 4)
        yield* pool.execute("CREATE TABLE IF NOT EXISTS made_read_only (n int)")
        const write = pool.execute("INSERT INTO made_read_only VALUES (1)")
        const alter = (sql: string) =>
          Effect.promise(async () => {
            await primary.query(sql)
            await primary.query("SELECT pg_reload_conf()")
          })
        yield* alter("ALTER SYSTEM SET default_transaction_read_only = on")
        const errors: Array<string> = []
        for (let call = 0; call < 7; call++) {
          const exit = yield* Effect.result(write)
          if (exit._tag === "Failure") errors.push(exit.failure._tag)
        }
        const refused = errors.filter((tag) => tag === "ReadOnlySQLTransactionError").length
        assert.isAtMost(refused, 4, "a session that has refused to write was lent again")
        const last = asConnectError(yield* Effect.flip(write))
        assert.isTrue(last.attempts.some(({ reason }) => reason.startsWith("is read-only")))
        assert.isTrue(last.attempts.some(({ reason }) => reason.startsWith("is a standby")))
        yield* alter("ALTER SYSTEM RESET default_transaction_read_only")
        yield* eventually(Effect.map(Effect.exit(write), Exit.isSuccess), true)
        yield* assertHealthy(pool)
        console.log(
          `made read-only: ${refused} of ${errors.length + 1} writes refused by the server, then`,
          last.message
        )
      }).pipe(Effect.scoped),
    TEST_TIMEOUT_MILLIS
  )

  it.effect(
    "for standbys says what the servers are if all standbys are gone, and serves again when one is back",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        const primary = yield* Effect.promise(() => servers.primary())
        const standbys = yield* Effect.promise(() => servers.standbys())
        const settings = { ...servers.settings, connectTimeout: "2 seconds", acquireTimeout: "2 seconds" } as const
        const strict = yield* PgPool.make({ ...settings, targetSessionAttrs: "standby" })
        const lenient = yield* PgPool.make({ ...settings, targetSessionAttrs: "prefer-standby" })
        const writing = yield* PgPool.make({ ...settings, targetSessionAttrs: "read-write" })
        assert.notStrictEqual(yield* valueOf(lenient, WHERE), primary.host)
        yield* writing.execute("CREATE TABLE IF NOT EXISTS alone (n int)")
        for (const node of standbys) yield* Effect.promise(() => node.shutDown("crash"))

        const began = performance.now()
        yield* eventually(
          Effect.map(Effect.result(valueOf(lenient, WHERE)), (exit) =>
            exit._tag === "Success" ? exit.success : undefined
          ),
          primary.host
        )
        const servedAfter = performance.now() - began
        const error = asConnectError(
          yield* Effect.flip(valueOf(strict, WHERE)).pipe(
            Effect.repeat({ until: ({ _tag }) => _tag === "ConnectError", times: 5 })
          )
        )
        assert.isBelow(performance.now() - began, 8_000)
        assert.strictEqual(error.attempts.length, 3)
        assert.isTrue(
          error.attempts.some(({ host, reason }) => host === primary.host && reason.startsWith("is a primary"))
        )

        // The primary acknowledges nothing until it is told that no standby has to have it.
        const insert = writing.execute("INSERT INTO alone VALUES (1)", [], { timeout: "500 millis" })
        const waited = yield* Effect.flip(insert)
        assert.strictEqual(waited._tag, "QueryTimeoutError")
        assert.strictEqual(waited.outcome, "unknown")
        yield* Effect.promise(() => servers.requireStandby(false))
        yield* eventually(Effect.map(Effect.exit(insert), Exit.isSuccess), true)

        for (const node of standbys) yield* Effect.promise(() => servers.rejoin(node))
        yield* Effect.promise(() => servers.untilStreaming())
        yield* Effect.promise(() => servers.requireStandby(true))
        const back = performance.now()
        yield* eventually(Effect.map(Effect.exit(valueOf(strict, WHERE)), Exit.isSuccess), true)
        console.log(
          `all standbys gone: the primary served after ${servedAfter.toFixed(0)} ms; a standby after ` +
            `${(performance.now() - back).toFixed(0)} ms; meanwhile`,
          error.message
        )
        for (const pool of [strict, lenient, writing]) yield* assertHealthy(pool)
      }).pipe(Effect.scoped),
    TEST_TIMEOUT_MILLIS
  )
})
