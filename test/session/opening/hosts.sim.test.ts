/** Tests in which order hosts and addresses are tried, for how long each, and which are passed over because of a role. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import type { HostAddress, ResolvedConfig, TargetSessionAttrs } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { KnownHosts } from "../../../src/session/opening/knownHosts.ts"
import { Lookup } from "../../../src/session/opening/lookup.ts"
import {
  addressOf,
  closedPort,
  configOf,
  failureOf,
  type Peer,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"

const asConnectError = (error: PgError.PgError): PgError.ConnectError =>
  error._tag === "ConnectError" ? error : assert.fail(`${String(error)} is no ConnectError`)

const connecting = (config: ResolvedConfig, known?: KnownHosts) =>
  Effect.forkScoped(connect(config, undefined, undefined, known), { startImmediately: true })

const letIn = (peer: Peer, ...parameters: ReadonlyArray<readonly [string, string]>) =>
  Effect.gen(function* () {
    yield* peer.startupPacket
    peer.send(
      Say.authenticationOk,
      ...parameters.map(([name, value]) => Say.parameterStatus(name, value)),
      Say.settings
    )
  })

const noAnswer = (millis: number) => `the client got no answer within ${millis} ms`

describe("a host that does not answer", () => {
  it.live("costs its own bound only, and the next one is tried", () =>
    Effect.gen(function* () {
      const [silent, good] = [yield* scriptedServer, yield* scriptedServer]
      const config = configOf(silent, { hosts: [silent, good].map(addressOf), connectTimeoutMillis: 200 })
      const began = performance.now()
      const fiber = yield* connecting(config)
      yield* letIn(yield* good.accept)
      assert.strictEqual((yield* Fiber.join(fiber)).lost, undefined)
      assert.isBelow(performance.now() - began, 1_500)
      yield* (yield* silent.accept).closed
    }).pipe(Effect.scoped)
  )

  it.live("is listed with those before it when connectTotalTimeout is over", () =>
    Effect.gen(function* () {
      const servers = [yield* scriptedServer, yield* scriptedServer, yield* scriptedServer]
      const refusing = yield* closedPort
      const hosts: ReadonlyArray<HostAddress> = [
        { _tag: "Tcp", host: "127.0.0.1", port: refusing },
        ...servers.map(addressOf)
      ]
      const config = configOf(servers[0]!, { hosts, connectTimeoutMillis: 200, connectTotalTimeoutMillis: 300 })
      const began = performance.now()
      const error = asConnectError(yield* failureOf(yield* connecting(config)))
      assert.isBelow(performance.now() - began, 1_500)
      assert.deepStrictEqual(
        error.attempts.map(({ port, reason }) => [port, reason.replace(/ while.*/, "")]),
        [
          [refusing, "ECONNREFUSED"],
          [servers[0]?.port, "the client got no answer within 200 ms"],
          [servers[1]?.port, "the client got no answer within 300 ms"]
        ]
      )
      for (const server of servers.slice(0, 2)) yield* (yield* server.accept).closed
      assert.strictEqual(servers[2]?.peers.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("is tried after all others for a while by the connections of a pool, but it is tried", () =>
    Effect.gen(function* () {
      const [silent, good] = [yield* scriptedServer, yield* scriptedServer]
      const config = configOf(silent, { hosts: [silent, good].map(addressOf), connectTimeoutMillis: 200 })
      const known = new KnownHosts()
      const first = yield* connecting(config, known)
      yield* letIn(yield* good.accept)
      yield* Fiber.join(first)
      assert.strictEqual(silent.peers.length, 1)

      const second = yield* connecting(config, known)
      yield* letIn(yield* good.accept)
      yield* Fiber.join(second)
      assert.strictEqual(silent.peers.length, 1, "it has not answered lately")

      const third = yield* connecting(config, known)
      const full = yield* good.accept
      yield* full.startupPacket
      full.end(Say.error({ severity: "FATAL", code: "53300" }))
      yield* silent.accept
      yield* letIn(yield* silent.accept)
      yield* Fiber.join(third)

      const fourth = yield* connecting(config, known)
      yield* letIn(yield* silent.accept)
      yield* Fiber.join(fourth)
      assert.strictEqual(good.peers.length, 3, "the first host has its place again")
    }).pipe(Effect.scoped)
  )

  it.live("is given a part of its time while it is silent and others answer, and all of it if none does", () =>
    Effect.gen(function* () {
      const [silent, other] = [yield* scriptedServer, yield* scriptedServer]
      const hosts = [silent, other].map(addressOf)
      const config = configOf(silent, { hosts, targetSessionAttrs: "standby", connectTimeoutMillis: 400 })
      const known = new KnownHosts()
      const reasonsAfter = (answers: boolean) =>
        Effect.gen(function* () {
          const fiber = yield* connecting(config, known)
          if (answers) yield* serve(other, "writable primary", true)
          return asConnectError(yield* failureOf(fiber)).attempts.map(({ reason }) =>
            reason.replace(/,? while.*|, but.*/, "")
          )
        })
      assert.deepStrictEqual(yield* reasonsAfter(true), [noAnswer(400), "is a primary, which takes writes"])
      assert.deepStrictEqual(yield* reasonsAfter(true), ["is a primary, which takes writes", noAnswer(100)])
      assert.deepStrictEqual(yield* reasonsAfter(false), [noAnswer(400), noAnswer(400)])
    }).pipe(Effect.scoped)
  )

  it.live("has no bound if connectTimeout is 0, other than connectTotalTimeout", () =>
    Effect.gen(function* () {
      const [silent, good] = [yield* scriptedServer, yield* scriptedServer]
      const hosts = [silent, good].map(addressOf)
      const config = configOf(silent, { hosts, connectTimeoutMillis: 0, connectTotalTimeoutMillis: 200 })
      asConnectError(yield* failureOf(yield* connecting(config)))
      assert.strictEqual(good.peers.length, 0)
    }).pipe(Effect.scoped)
  )
})

/** A name that is looked up anew for each connection. */
const named = (host: string, port: number): HostAddress => ({ _tag: "Tcp", host, port })

const lookingUp = (addresses: Readonly<Record<string, ReadonlyArray<string>>>) =>
  Effect.provideService(Lookup, (name) => {
    const found = addresses[name]
    return found === undefined
      ? Effect.fail(Object.assign(new Error("unknown"), { code: "ENOTFOUND" }))
      : Effect.succeed(found)
  })

/** One name is unknown, and the question for the other is not answered. */
const failingLookup = (name: string) =>
  name === "slow.test" ? Effect.never : Effect.fail(Object.assign(new Error("not found"), { code: "ENOTFOUND" }))

describe("a name", () => {
  it.live("has all of its addresses tried in order, each once", () =>
    Effect.gen(function* () {
      const good = yield* scriptedServer
      const config = configOf(good, { hosts: [named("db.test", good.port)] })
      const addresses = ["127.0.0.9", "127.0.0.9", good.host]
      const fiber = yield* connecting(config).pipe(lookingUp({ "db.test": addresses }))
      yield* letIn(yield* good.accept)
      yield* Fiber.join(fiber)
      good.stopListening()
      const failing = yield* connecting(config).pipe(lookingUp({ "db.test": addresses }))
      assert.deepStrictEqual(
        asConnectError(yield* failureOf(failing)).attempts.map(({ address, host, stage }) => [host, address, stage]),
        [
          ["db.test", "127.0.0.9", "tcp"],
          ["db.test", good.host, "tcp"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("that is unknown, or not found in time, is passed over and listed", () =>
    Effect.gen(function* () {
      const good = yield* scriptedServer
      const hosts = [named("nowhere.test", 1), named("slow.test", 2)]
      const config = configOf(good, { hosts, connectTimeoutMillis: 150 })
      const failing = yield* connecting(config).pipe(Effect.provideService(Lookup, failingLookup))
      assert.deepStrictEqual(
        asConnectError(yield* failureOf(failing)).attempts.map(({ host, port, reason, stage }) => [
          host,
          port,
          stage,
          reason
        ]),
        [
          ["nowhere.test", 1, "resolve", "ENOTFOUND"],
          [
            "slow.test",
            2,
            "resolve",
            "the client got no answer within 150 ms while it waited for the addresses of the name"
          ]
        ]
      )
      const both = { ...config, hosts: [...hosts, { ...named("given.test", good.port), address: good.host }] }
      const fiber = yield* connecting(both).pipe(Effect.provideService(Lookup, failingLookup))
      yield* letIn(yield* good.accept)
      yield* Fiber.join(fiber)
    }).pipe(Effect.scoped)
  )
})

describe("loadBalanceHosts", () => {
  it.live("random shuffles the hosts, and the addresses of each name, for each connection", () =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const port = yield* closedPort
      const hosts = [named("a.test", port), named("b.test", port), named("c.test", port)]
      const addresses = { "a.test": ["127.0.0.2", "127.0.0.3"], "b.test": ["127.0.0.4"], "c.test": ["127.0.0.5"] }
      const ordersOf = (loadBalanceHosts: "disable" | "random") =>
        Effect.map(
          Effect.forEach(Array.from({ length: 60 }), () =>
            Effect.flip(Effect.scoped(connect(configOf(server, { hosts, loadBalanceHosts })))).pipe(
              lookingUp(addresses),
              Effect.map((error) =>
                asConnectError(error)
                  .attempts.map(({ address }) => address?.slice(-1))
                  .join("")
              )
            )
          ),
          (orders) => new Set(orders)
        )
      assert.deepStrictEqual([...(yield* ordersOf("disable"))], ["2345"])
      const orders = [...(yield* ordersOf("random"))]
      for (const order of orders) assert.strictEqual([...order].sort().join(""), "2345")
      for (const order of orders) assert.match(order, /23|32/, "the addresses of a name stay together")
      for (const first of ["2", "3", "4", "5"])
        assert.isTrue(
          orders.some((order) => order.startsWith(first)),
          first
        )
      assert.isAbove(orders.length, 6)
    }).pipe(Effect.scoped)
  )
})

type Kind = "writable primary" | "read-only primary" | "standby"

const REPORTED: Readonly<Record<Kind, ReadonlyArray<readonly [string, string]>>> = {
  "writable primary": [
    ["in_hot_standby", "off"],
    ["default_transaction_read_only", "off"]
  ],
  "read-only primary": [
    ["in_hot_standby", "off"],
    ["default_transaction_read_only", "on"]
  ],
  standby: [
    ["in_hot_standby", "on"],
    ["default_transaction_read_only", "off"]
  ]
}

const ACCEPTED: Readonly<Record<Exclude<TargetSessionAttrs, "prefer-standby">, ReadonlyArray<Kind>>> = {
  any: ["writable primary", "read-only primary", "standby"],
  "read-write": ["writable primary"],
  "read-only": ["read-only primary", "standby"],
  primary: ["writable primary", "read-only primary"],
  standby: ["standby"]
}

/** What a server without these parameters answers, and how the question is recognized. */
const answerTo = (sql: string, kind: Kind): boolean => {
  if (sql.includes("NOT pg_catalog.pg_is_in_recovery()")) return kind !== "standby"
  if (sql.includes("pg_catalog.pg_is_in_recovery()")) return kind === "standby"
  const isReadOnly = kind !== "writable primary"
  assert.include(sql, "pg_catalog.current_setting('transaction_read_only')")
  return sql.includes("'on'") ? isReadOnly : !isReadOnly
}

/** Lets a client in to a server of that kind, which reports what it is or has to be asked. */
const serve = (server: ScriptedServer, kind: Kind, reports: boolean) =>
  Effect.gen(function* () {
    const peer = yield* server.accept
    yield* letIn(peer, ...(reports ? REPORTED[kind] : []))
    if (reports) return peer
    const { body, type } = yield* peer.message
    if (type !== "Q") return peer
    const found = answerTo(body.toString(), kind)
    peer.send(
      ...(found ? [Say.row(Buffer.from("1"))] : []),
      Say.commandComplete(`SELECT ${found ? 1 : 0}`),
      Say.ready()
    )
    return peer
  })

describe("targetSessionAttrs", () => {
  for (const [attributes, kinds] of Object.entries(ACCEPTED) as ReadonlyArray<
    [keyof typeof ACCEPTED, readonly Kind[]]
  >) {
    for (const kind of Object.keys(REPORTED) as ReadonlyArray<Kind>) {
      for (const reports of attributes === "any" ? [true] : [true, false]) {
        const isAccepted = kinds.includes(kind)
        const how = reports ? "reports what it is" : "has to be asked"
        it.live(`${attributes} ${isAccepted ? "accepts" : "passes over"} a ${kind} that ${how}`, () =>
          Effect.gen(function* () {
            const server = yield* scriptedServer
            const fiber = yield* connecting(configOf(server, { targetSessionAttrs: attributes }))
            const peer = yield* serve(server, kind, reports)
            if (isAccepted) {
              assert.strictEqual((yield* Fiber.join(fiber)).lost, undefined)
              return
            }
            assert.strictEqual((yield* peer.message).type, "X", "it is told goodbye")
            yield* peer.closed
            const { attempts } = asConnectError(yield* failureOf(fiber))
            assert.strictEqual(attempts.length, 1)
            assert.deepStrictEqual([attempts[0]?.host, attempts[0]?.stage], [server.host, "startup"])
            const what = { standby: "a standby", "read-only primary": "read-only", "writable primary": "a primary" }[
              kind
            ]
            if (reports) assert.match(attempts[0]?.reason ?? "", new RegExp(`^is (${what}|a primary)`))
          }).pipe(Effect.scoped)
        )
      }
    }
  }

  it.live("prefer-standby goes through the whole list for a standby, and takes another only if there is none", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* scriptedServer, yield* scriptedServer]
      const config = configOf(first, { hosts: [first, second].map(addressOf), targetSessionAttrs: "prefer-standby" })
      const known = new KnownHosts()
      const preferring = yield* connecting(config, known)
      const passed = yield* serve(first, "writable primary", true)
      yield* serve(second, "standby", true)
      assert.strictEqual((yield* passed.message).type, "X")
      assert.strictEqual(known.placeOf(yield* Fiber.join(preferring))?.role, "standby")

      const taking = yield* connecting(config, known)
      yield* serve(first, "writable primary", true)
      yield* serve(second, "read-only primary", true)
      yield* serve(first, "writable primary", true)
      assert.strictEqual(known.placeOf(yield* Fiber.join(taking))?.role, "any")
    }).pipe(Effect.scoped)
  )

  it.live("passes over a server that refuses to say what it is, and one that leaves instead", () =>
    Effect.gen(function* () {
      const servers = [yield* scriptedServer, yield* scriptedServer, yield* scriptedServer] as const
      const [refusing, leaving, good] = servers
      const config = configOf(refusing, { hosts: servers.map(addressOf), targetSessionAttrs: "primary" })
      const fiber = yield* connecting(config)
      const refused = yield* refusing.accept
      yield* letIn(refused)
      yield* refused.message
      refused.send(Say.error({ code: "42501", message: "permission denied" }), Say.ready())
      yield* refused.closed
      const left = yield* leaving.accept
      yield* letIn(left)
      left.end()
      yield* serve(good, "writable primary", false)
      assert.strictEqual((yield* Fiber.join(fiber)).lost, undefined)
    }).pipe(Effect.scoped)
  )

  it.live("does not wait forever for a server that it has told goodbye", () =>
    Effect.gen(function* () {
      const [lingering, good] = [yield* scriptedServer, yield* scriptedServer]
      lingering.lingers = true
      const hosts = [lingering, good].map(addressOf)
      const config = configOf(lingering, { hosts, targetSessionAttrs: "standby", connectTimeoutMillis: 0 })
      const began = performance.now()
      const fiber = yield* connecting(config)
      const peer = yield* serve(lingering, "writable primary", true)
      yield* serve(good, "standby", true)
      yield* Fiber.join(fiber)
      assert.isBelow(performance.now() - began, 3_000)
      yield* peer.gone
    }).pipe(Effect.scoped)
  )
})

describe("an error of opening", () => {
  const failures: ReadonlyArray<{
    readonly what: string
    readonly settings?: Partial<ResolvedConfig>
    readonly play: (peer: Peer) => void
    readonly tag: PgError.PgError["_tag"]
  }> = [
    {
      what: "a wrong password",
      play: (peer) => peer.end(Say.error({ severity: "FATAL", code: "28P01" })),
      tag: "InvalidPasswordError"
    },
    {
      what: "a missing database",
      play: (peer) => peer.end(Say.error({ severity: "FATAL", code: "3D000" })),
      tag: "InvalidCatalogNameError"
    },
    {
      what: "an unknown role",
      play: (peer) => peer.end(Say.error({ severity: "FATAL", code: "28000" })),
      tag: "InvalidAuthorizationSpecificationError"
    },
    {
      what: "a method that is not allowed",
      settings: { requireAuth: ["md5"] },
      play: (peer) => peer.send(Say.cleartextPassword),
      tag: "AuthenticationError"
    },
    { what: "a broken protocol", play: (peer) => peer.send(Say.ready()), tag: "ProtocolError" },
    { what: "a lost connection", play: (peer) => peer.end(), tag: "ConnectionLostError" }
  ]

  for (const { play, settings, tag, what } of failures) {
    it.live(`names the host, the address, the port and the stage: ${what}`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        const config = configOf(server, { hosts: [named("db.test", server.port)], ...settings })
        const fiber = yield* connecting(config).pipe(lookingUp({ "db.test": [server.host] }))
        const peer = yield* server.accept
        yield* peer.startupPacket
        play(peer)
        const error = yield* failureOf(fiber)
        assert.strictEqual(error._tag, tag)
        const place = { host: "db.test", port: server.port, address: server.host, stage: "startup" } as const
        assert.deepStrictEqual("place" in error ? error.place : undefined, place)
        assert.include(error.message, `(server: db.test:${server.port} (${server.host}), startup)`)
        assert.include(String(error), `db.test:${server.port}`)
      }).pipe(Effect.scoped)
    )
  }

  it.live("is repeated in the list of all attempts without its place, which the list has anyway", () =>
    Effect.gen(function* () {
      const full = yield* scriptedServer
      const config = configOf(full, { hosts: [addressOf(full), named("127.0.0.1", yield* closedPort)] })
      const fiber = yield* connecting(config)
      const peer = yield* full.accept
      yield* peer.startupPacket
      peer.end(Say.error({ severity: "FATAL", code: "53300", message: "sorry, too many clients already" }))
      const { attempts, message } = asConnectError(yield* failureOf(fiber))
      assert.strictEqual(attempts[0]?.reason, "sorry, too many clients already")
      assert.include(message, `127.0.0.1:${full.port}, startup: sorry, too many clients already\n`)
    }).pipe(Effect.scoped)
  )
})
