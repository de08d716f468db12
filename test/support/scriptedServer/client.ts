/** The client's side of a test with a scripted server: settings, a session, and a query over it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import { TypeCodecs } from "../../../src/codec/typeCodec.ts"
import type { HostAddress, ResolvedConfig } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { ExtendedQuery } from "../../../src/session/exchange/extendedQuery.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import type { CommandTag } from "../../../src/wire/commandTag.ts"
import type { ScriptedServer } from "../scriptedServer.ts"
import type { Peer } from "./peer.ts"
import * as Say from "./say.ts"

export const addressOf = ({ host, path, port }: ScriptedServer): HostAddress =>
  path === "" ? { _tag: "Tcp", host, port } : { _tag: "Unix", path, port }

/** Settings for a session with the server; in the clear, and with short timeouts, by default. */
export const configOf = (server: ScriptedServer, settings: Partial<ResolvedConfig> = {}): ResolvedConfig => ({
  hosts: [addressOf(server)],
  user: "alice",
  database: "app",
  password: Effect.succeed(Redacted.make("secret")),
  targetSessionAttrs: "any",
  loadBalanceHosts: "disable",
  sslMode: "disable",
  sslNegotiation: "postgres",
  sslRootCert: undefined,
  sslCert: undefined,
  sslKey: undefined,
  sslCertMode: "allow",
  sslCrl: [],
  sslSni: true,
  sslMinProtocolVersion: "TLSv1.2",
  sslMaxProtocolVersion: undefined,
  channelBinding: "prefer",
  requireAuth: undefined,
  allowCleartextPassword: settings.requireAuth?.includes("password") === true,
  oauthToken: Effect.succeed(undefined),
  minProtocolVersion: "3.0",
  maxProtocolVersion: "3.0",
  types: TypeCodecs.none,
  maxScramIterations: 100_000,
  observing: { onQuery: undefined, slowQueryMillis: undefined, metrics: false, comment: undefined },
  connectTimeoutMillis: 4_000,
  connectTotalTimeoutMillis: 60_000,
  cancelTimeoutMillis: 2_000,
  keepAliveMillis: undefined,
  keepAliveIntervalMillis: undefined,
  keepAliveCount: undefined,
  startupParameters: new Map([
    ["user", "alice"],
    ["database", "app"]
  ]),
  names: "unchanged",
  statementCache: { mode: "cached", size: 100, lifetimeMillis: 300_000, maxSqlBytes: 15_360 },
  ...settings
})

/** A session with the server, and the server's end of it. */
export const establish = (
  server: ScriptedServer,
  settings: Partial<ResolvedConfig> = {}
): Effect.Effect<{ readonly session: Session; readonly peer: Peer }, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const connecting = yield* Effect.forkScoped(connect(configOf(server, settings)), { startImmediately: true })
    const peer = yield* server.accept
    yield* peer.startupPacket
    peer.send(Say.authenticationOk, Say.settings)
    return { session: yield* Fiber.join(connecting), peer }
  })

export interface Answer {
  /** In column order. */
  readonly rows: ReadonlyArray<ReadonlyArray<unknown>>
  readonly tag: CommandTag | undefined
}

/** Runs a statement as the layers above do. */
export const query = (
  session: Session,
  sql: string,
  values: ReadonlyArray<unknown> = [],
  maxRows = 0
): Effect.Effect<Answer, PgError.PgError> =>
  Effect.callback((resume) => {
    const exchange = new ExtendedQuery<ReadonlyArray<unknown>, Answer>(
      session,
      sql,
      values,
      { form: (shape) => shape.tuple, maxRows, result: ({ rows, tag }) => Exit.succeed({ rows, tag }) },
      resume
    )
    session.submit(exchange)
    return Effect.sync(() => session.abandon(exchange))
  })

/** Does so in a fiber that has already begun. */
export const ask = (...question: Parameters<typeof query>): Effect.Effect<Fiber.Fiber<Answer, PgError.PgError>> =>
  Effect.forkChild(query(...question), { startImmediately: true })

/** The failure of a fiber. */
export const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<E> =>
  Fiber.join(fiber).pipe(
    Effect.matchEffect({
      onSuccess: () => Effect.die(new Error("a failure was expected, and it succeeded")),
      onFailure: Effect.succeed
    })
  )

/** Answers the written messages with this, and before it the Close messages that came along. */
const reply = (peer: Peer, types: string, answer: Buffer): void =>
  peer.send(...Array.from(types.matchAll(/C/g), () => Say.closeComplete), answer)

/** Plays one whole query: whether it has to be prepared, and the answer to its run. */
export const play = (
  { peer, session }: { readonly peer: Peer; readonly session: Session },
  sql: string,
  { description, answer = Say.answered("SELECT 0") }: { readonly description?: Buffer; readonly answer?: Buffer } = {}
) =>
  Effect.gen(function* () {
    const asking = yield* ask(session, sql)
    const written: Array<string> = []
    for (const said of description === undefined ? [answer] : [description, answer]) {
      const types = yield* peer.cycleTypes
      written.push(types)
      reply(peer, types, said)
    }
    return { written: written.join(" "), ...(yield* Fiber.join(asking)) }
  })

/** Shows that the session answers, and correctly. */
export const assertHealthy = (both: { readonly peer: Peer; readonly session: Session }) =>
  Effect.gen(function* () {
    const sql = `SELECT healthy ${both.peer.chunks.length}`
    const { rows, written } = yield* play(both, sql, {
      description: Say.described([Say.column("id", pgType.int4.oid)]),
      answer: Say.answered("SELECT 1", { rows: [Say.row(Say.int4(7))] })
    })
    assert.match(written, /^C*PDS BES$/)
    assert.deepStrictEqual(rows, [[7]])
    assert.strictEqual(both.session.lost, undefined)
  })
