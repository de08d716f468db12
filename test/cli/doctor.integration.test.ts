/** Tests what `effectpg doctor` says of servers that are in order, and of those that are not. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { vi } from "vitest"
import { versionOf } from "../poolers/endpoints/daemon.ts"
import { startPgBouncer } from "../poolers/endpoints/pgbouncer.ts"
import { type Database, TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection } from "../support/live.ts"
import { closedPort } from "../support/scriptedServer.ts"
import { certificate } from "../support/tls/certificates.ts"
import { tlsActor } from "../support/tls/tlsActor.ts"
import { transactionPooler } from "../support/transactionPooler.ts"
import { doctor, linesOf } from "./support/doctor.ts"
import { PROCESS_TIMEOUT_MILLIS } from "./support/effectpg.ts"
import { olderServer } from "./support/olderServer.ts"

vi.setConfig({ testTimeout: PROCESS_TIMEOUT_MILLIS })

const inFile = (text: string): string => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-doctor-")), "authority.crt")
  fs.writeFileSync(file, text)
  return file
}

/** The test's database at another port of this machine, without TLS. */
const at = ({ database, password, user }: Database, port: number): string =>
  `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}?sslmode=disable`

const REACHED = ["ok resolve: localhost is 127.0.0.1", "ok tcp: 127.0.0.1:PORT accepts connections, in N ms"]
const CHAIN = [
  "ok tls: TLSv1.3 with TLS_AES_256_GCM_SHA384",
  "ok certificate: localhost, signed by effectpg test authority: N days left, until DAY",
  "ok certificate: effectpg test authority, signed by itself: N days left, until DAY"
]
const IN_CLEAR = "ok tls: not encrypted: sslMode is disable, and the connection does not leave this machine"
const TIMES = [
  "ok latency: a round trip takes N ms",
  "ok clock: the server's clock agrees with this machine's, within N ms"
]

layer(TestDatabase.layer, { excludeTestServices: true })("effectpg doctor", (it) => {
  it.effect("finds a server in order, by its name and over TLS", () =>
    Effect.gen(function* () {
      const { ca, url } = yield* TestDatabase
      const ran = yield* doctor(`${url}?sslmode=verify-full&sslrootcert=${inFile(ca ?? "")}`)
      assert.deepStrictEqual({ exitCode: ran.exitCode, stderr: ran.stderr }, { exitCode: 0, stderr: "" })
      const version = /PostgreSQL [\d.]+/.exec(ran.stdout)?.[0] ?? ""
      assert.deepStrictEqual(linesOf(ran), [
        ...REACHED,
        ...CHAIN,
        "ok verification: the certificate is valid, and for this host",
        "ok authentication: as postgres, in the database NAME",
        `ok server: ${version}`,
        "ok role: primary, which takes reads and writes",
        "ok pooler: none: the server process is the one that has greeted",
        "ok statements: prepared ones are found again",
        ...TIMES
      ])
    })
  )

  it.effect("finds a wrong password", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const ran = yield* doctor(url.replace(/:[^:@]+@/, ":wrong@"))
      assert.strictEqual(ran.exitCode, 1)
      assert.deepStrictEqual(linesOf(ran), [
        ...REACHED,
        ...CHAIN,
        'wrong authentication: password authentication failed for user "postgres"',
        "-> Check the user and the password; ALTER ROLE ... PASSWORD sets a new one."
      ])
    })
  )

  it.effect("finds a closed port", () =>
    Effect.gen(function* () {
      const ran = yield* doctor(`postgres://localhost:${yield* closedPort}/app`)
      assert.strictEqual(ran.exitCode, 1)
      assert.deepStrictEqual(linesOf(ran), [
        "ok resolve: localhost is 127.0.0.1",
        "wrong tcp: 127.0.0.1:PORT: ECONNREFUSED",
        "-> Nothing listens there. Check that the server runs, its port, and its listen_addresses."
      ])
    })
  )

  it.effect("finds a certificate of another authority", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      const other = inFile(certificate({ subject: "another authority", isAuthority: true }).certificate)
      const ran = yield* doctor(`${url}?sslmode=verify-full&sslrootcert=${other}`)
      assert.strictEqual(ran.exitCode, 1)
      assert.deepStrictEqual(linesOf(ran), [
        ...REACHED,
        ...CHAIN,
        "wrong verification: the TLS handshake failed: self-signed certificate in certificate chain",
        "-> Check that the file of sslRootCert has the certificate of effectpg test authority, and that the server's " +
          "certificate is for this host."
      ])
    })
  )

  it.effect("finds a certificate that has expired, and one that soon will", () =>
    Effect.gen(function* () {
      const authority = certificate({ subject: "an authority", isAuthority: true, validForDays: 20.5 })
      const server = certificate({ subject: "localhost", issuer: authority, dns: ["localhost"], validForDays: -2.5 })
      const secureContext = { cert: server.certificate + authority.certificate, key: server.key }
      const { port } = yield* tlsActor({ answer: Uint8Array.of(0x53), after: secureContext })
      const ran = yield* doctor(
        `postgres://localhost:${port}/app?sslmode=verify-full&sslrootcert=${inFile(authority.certificate)}`
      )
      assert.strictEqual(ran.exitCode, 1)
      assert.deepStrictEqual(linesOf(ran), [
        ...REACHED,
        "ok tls: TLSv1.3 with TLS_AES_256_GCM_SHA384",
        "wrong certificate: localhost, signed by an authority: expired 3 days ago, on DAY",
        "-> Renew it on the server, and let the server read it with SELECT pg_reload_conf().",
        "warning certificate: an authority, signed by itself: N days left, until DAY",
        "-> Renew it on the server, and let the server read it with SELECT pg_reload_conf().",
        "wrong verification: the TLS handshake failed: certificate has expired",
        "-> Check that the file of sslRootCert has the certificate of an authority, and that the server's certificate is " +
          "for this host."
      ])
    }).pipe(Effect.scoped)
  )

  const BEHIND_POOLER = [
    "warning pooler: there is one, and it gives each transaction another server process",
    "-> LISTEN, session locks, temporary tables and SET do not last. For those, connect to the server itself."
  ]
  const LOST_STATEMENTS = [
    "warning statements: prepared ones get lost, so that each is prepared again at each use",
    "-> Set max_prepared_statements of PgBouncer (1.21 or later) to 200, or statementMode to unnamed."
  ]

  it.effect("finds a pooler in transaction mode that loses prepared statements", () =>
    Effect.gen(function* () {
      const database = yield* TestDatabase
      const pooler = yield* transactionPooler({ connections: 2 })
      pooler.takes = "newest"
      const ran = yield* doctor(at(database, pooler.settings.port as number))
      assert.deepStrictEqual({ exitCode: ran.exitCode, stderr: ran.stderr }, { exitCode: 0, stderr: "" })
      assert.includeMembers([...linesOf(ran)], [IN_CLEAR, ...BEHIND_POOLER, ...LOST_STATEMENTS, ...TIMES])
    }).pipe(Effect.scoped)
  )

  // PgBouncer is a program of the operating system, which not every machine has.
  const version = versionOf("pgbouncer", ["--version"])
  for (const mode of version === undefined ? [] : (["transaction", "session"] as const)) {
    it.effect(`finds PgBouncer in ${mode} mode`, () =>
      Effect.gen(function* () {
        const database = yield* TestDatabase
        const server = { ...database, features: { tls: false, roles: false, unixSocket: false } }
        const pgbouncer = yield* Effect.acquireRelease(
          Effect.promise(() => startPgBouncer(server, mode)),
          ({ stop }) => Effect.promise(stop)
        )
        const ran = yield* doctor(at(database, pgbouncer.port))
        assert.deepStrictEqual({ exitCode: ran.exitCode, stderr: ran.stderr }, { exitCode: 0, stderr: "" })
        const expected =
          mode === "transaction"
            ? BEHIND_POOLER
            : ["ok pooler: there is one, and a connection seems to keep its server process"]
        assert.includeMembers([...linesOf(ran)], [...expected, ...TIMES])
      }).pipe(Effect.scoped)
    )
  }

  it.effect("finds a server of an older release", () =>
    Effect.gen(function* () {
      const database = yield* TestDatabase
      const port = yield* olderServer(database, "14.9")
      const ran = yield* doctor(at(database, port))
      assert.strictEqual(ran.exitCode, 0)
      // Which of the two it is depends on the day.
      const before = "ok server: PostgreSQL 14.9"
      const after = "warning server: PostgreSQL 14.9, whose last fixes came 2026-11-12"
      assert.include(linesOf(ran), Date.now() < Date.parse("2026-11-12") ? before : after)
      const ancient = yield* doctor(at(database, yield* olderServer(database, "9.6.24")))
      assert.include(linesOf(ancient), "warning server: PostgreSQL 9.6.24, whose last fixes came some time ago")
      assert.include(linesOf(ancient), "-> Upgrade to a later release, such as 18.")
    }).pipe(Effect.scoped)
  )

  it.effect("finds a database that is not there, and settings that cannot be read, and says so as JSON too", () =>
    Effect.gen(function* () {
      const { database, url } = yield* TestDatabase
      const missing = yield* doctor(url.replace(database, "nowhere"), "--json")
      assert.strictEqual(missing.exitCode, 1)
      const { findings }: { readonly findings: ReadonlyArray<unknown> } = JSON.parse(missing.stdout)
      assert.deepStrictEqual(findings.at(-1), {
        check: "database",
        status: "wrong",
        message: 'database "nowhere" does not exist',
        hint: "Check the name of the database, or create it: CREATE DATABASE ..."
      })
      const unreadable = yield* doctor("postgres://localhost/app?sslmode=perhaps")
      assert.strictEqual(unreadable.exitCode, 1)
      assert.include(unreadable.stdout, "wrong    settings")
    })
  )

  it.effect("leaves the server as it was", () =>
    Effect.gen(function* () {
      const { url } = yield* TestDatabase
      yield* doctor(url)
      const connection = yield* liveConnection()
      yield* assertHealthy(connection)
      const left = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database()"
      assert.deepStrictEqual(yield* connection.fetch(left), [{ n: 1 }])
    }).pipe(Effect.scoped)
  )
})
