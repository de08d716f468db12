/**
 * Every sslMode with servers and clients of every kind, as one table, on a real server. The real libpq is asked the same,
 * with the same URL; where it answers otherwise, its answer and the reason stand in the table.
 */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fs from "node:fs"
import * as path from "node:path"
import { inspect } from "node:util"
import * as PgConfig from "../../../src/PgConfig.ts"
import * as PgError from "../../../src/PgError.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { type Libpq, libpq } from "../../support/libpq/libpq.ts"
import { rolePassword } from "../../support/postgres.ts"
import { type PresentingServer, presentingServer } from "../../support/tls/presentingServer.ts"
import { type TlsActor, tlsActor } from "../../support/tls/tlsActor.ts"
import { actors, directory, MODES, paths, root, type Row, table } from "./tlsTable.ts"

const urlOf = (
  sslmode: PgConfig.SslMode,
  port: number,
  { database = "postgres", host = "localhost", keys, user = "trust_user" }: Row
): string => {
  const given: Record<string, string | undefined> = { sslrootcert: paths.root, connect_timeout: "5", ...keys, sslmode }
  const query = Object.entries(given).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`]
  )
  const name = user === "wrong" ? "scram_user" : user
  const password = user === "wrong" ? "wrong" : encodeURIComponent(rolePassword)
  return `postgres://${name}:${password}@${host}:${port}/${database}?${query.join("&")}`
}

type Asked = (url: string, home: string) => Effect.Effect<string>

/** A refusal is one of the client's own errors, and says nothing secret. */
const refused = (asked: Effect.Effect<string, PgError.PgError>): Effect.Effect<string> =>
  Effect.catch(asked, (error) => {
    assert.isTrue(PgError.isPgError(error), String(error))
    assert.notInclude(inspect(error, { depth: 10, showHidden: true }), rolePassword)
    return Effect.succeed("no")
  })

/** What this client does. The server tells whether it is encrypted. */
const ours =
  (isEncrypted: (session: Session) => Effect.Effect<boolean>): Asked =>
  (url, home) =>
    Effect.scoped(
      Effect.gen(function* () {
        const session = yield* connect(yield* PgConfig.resolve({ url }, { HOME: home }))
        return (yield* isEncrypted(session)) ? "TLS" : "clear"
      })
    ).pipe(refused)

const seenBy =
  ({ run }: PresentingServer) =>
  ({ processId }: Session) =>
    Effect.map(run(`SELECT ssl FROM pg_stat_ssl WHERE pid = ${processId}`), ([row]) => row?.["ssl"] === true)

const seenByActor =
  ({ seen }: TlsActor) =>
  () =>
    Effect.succeed(seen.at(-1) === "TLS")

const theirs =
  (library: Libpq): Asked =>
  (conninfo, home) =>
    Effect.map(library.ask({ conninfo, home }), (answer) =>
      !answer.isConnected ? "no" : answer.encrypted ? "TLS" : "clear"
    )

let homes = 0

/** A home with these files in `.postgresql`. */
const homeOf = ({ home = {} }: Row): string => {
  const where = path.join(directory, `home${homes++}`)
  fs.mkdirSync(path.join(where, ".postgresql"), { recursive: true })
  for (const [name, content] of Object.entries(home)) {
    fs.writeFileSync(path.join(where, ".postgresql", name), content, { mode: 0o600 })
  }
  return where
}

const line = (asked: Asked, port: number, row: Row) =>
  Effect.suspend(() => {
    const home = homeOf(row)
    return Effect.forEach(MODES, (mode) => asked(urlOf(mode, port, row), home))
  }).pipe(Effect.map((answers) => answers.join(" ")))

/** One for the whole table. */
class Rig extends Context.Service<
  Rig,
  PresentingServer & { readonly major: number; readonly library: Libpq | undefined }
>()("test/TlsMatrix") {
  static readonly layer = Layer.effect(
    Rig,
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true })))
      const presenting = yield* presentingServer(root)
      const [version] = yield* presenting.run("SHOW server_version_num")
      const major = Math.floor(Number(version?.["server_version_num"]) / 10_000)
      return { ...presenting, major, library: yield* libpq }
    })
  )
}

/** Some have hundreds of connections, which take 4 seconds on a machine that has nothing else to do. */
const PATIENCE_MILLIS = 120_000

layer(Rig.layer, { excludeTestServices: true })("with every sslMode, a client meets", (it) => {
  for (const [what, shown, rows] of table) {
    const body = Effect.gen(function* () {
      const rig = yield* Rig
      const { library, present, server } = rig
      yield* present(shown[0]!, ...shown.slice(1))
      const found: Record<string, string> = {}
      const wanted: Record<string, string> = {}
      for (const [how, row] of Object.entries(rows)) {
        if (row.since !== undefined && row.since > rig.major) continue
        wanted[`${what} ${how}`] = row.is
        found[`${what} ${how}`] = yield* line(ours(seenBy(rig)), server.port, row)
        if (library === undefined) continue
        wanted[`libpq: ${what} ${how}`] = row.libpq?.[0] ?? row.is
        found[`libpq: ${what} ${how}`] = yield* line(theirs(library), server.port, row)
      }
      assert.deepStrictEqual(found, wanted)
    })
    it.effect(what, () => body, PATIENCE_MILLIS)
  }

  for (const [what, part, row] of actors) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const { library } = yield* Rig
        const actor = yield* tlsActor(part)
        assert.strictEqual(yield* line(ours(seenByActor(actor)), actor.port, row), row.is)
        if (library === undefined) return
        assert.strictEqual(yield* line(theirs(library), actor.port, row), row.libpq?.[0] ?? row.is, "libpq")
      }).pipe(Effect.scoped)
    )
  }
})
