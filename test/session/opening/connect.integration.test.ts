/** Tests which users a real server lets in, by which method and with which encryption, and the errors of the others. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import { inject } from "vitest"
import type * as PgConfig from "../../../src/PgConfig.ts"
import type * as PgConnection from "../../../src/PgConnection.ts"
import type * as PgError from "../../../src/PgError.ts"
import { homeWith } from "../../config/home.ts"
import { TestDatabase } from "../../support/database.ts"
import { assertHealthy, liveConnection, valueOf } from "../../support/live.ts"
import { rolePassword } from "../../support/postgres.ts"
import { tlsDirectory } from "../../support/server/cluster.ts"

const server = inject("postgres")
const { features, unixSocketDir } = server

/** An address that reaches the server and is not in its certificate. */
const ANOTHER_NAME = "0.0.0.0"

const pathOf = (file: string): string => fileURLToPath(new URL(file, tlsDirectory))
const pem = (file: string): string => fs.readFileSync(pathOf(file), "utf8")

const as = (user: string, settings: PgConfig.Settings = {}): PgConfig.Settings => ({
  user,
  password: Redacted.make(rolePassword),
  ...settings
})

const letIn = (settings: PgConfig.Settings) =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* liveConnection(settings)
      yield* assertHealthy(connection)
      return { user: yield* valueOf(connection, "SELECT current_user"), isEncrypted: yield* encrypted(connection) }
    })
  )

const encrypted = (connection: PgConnection.PgConnection) =>
  valueOf(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

/** Checks the error of a refused user, which contains no secret. */
const refusal = (settings: PgConfig.Settings): Effect.Effect<PgError.PgError, never, TestDatabase> =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(Effect.scoped(liveConnection(settings)))
    const told = [error.message, String(error), inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error)]
    for (const secret of [rolePassword, WRONG_PASSWORD, server.password]) assert.notInclude(told.join(" "), secret)
    return error
  }).pipe(Effect.orDie)

const WRONG_PASSWORD = "a wrong pässword: @/?%"

if (features.roles) {
  const routes: ReadonlyArray<readonly [string, PgConfig.Settings]> = [
    ["in the clear", { sslMode: "disable" }],
    ["under TLS", { sslMode: "require" }],
    ...(unixSocketDir === undefined ? [] : [["over a unix socket", { host: unixSocketDir }] as const])
  ]

  layer(TestDatabase.layer, { excludeTestServices: true })("the server lets in", (it) => {
    for (const [route, settings] of routes) {
      for (const role of ["trust_user", "cleartext_user", "md5_user", "scram_user"]) {
        it.effect(`${role} ${route}`, () =>
          Effect.gen(function* () {
            const { isEncrypted, user } = yield* letIn(as(role, settings))
            assert.strictEqual(user, role)
            assert.strictEqual(isEncrypted, settings.sslMode === "require")
          })
        )
      }

      for (const role of ["cleartext_user", "md5_user", "scram_user"]) {
        it.effect(`${role} ${route}, but not with a wrong password or without one`, () =>
          Effect.gen(function* () {
            const wrong = yield* refusal(as(role, { ...settings, password: Redacted.make(WRONG_PASSWORD) }))
            assert.strictEqual(wrong._tag, "InvalidPasswordError")
            assert.strictEqual(wrong.outcome, "none")
            const forgotten = Effect.succeed(Redacted.make(""))
            const none = yield* refusal(as(role, { ...settings, password: forgotten }))
            assert.include(["AuthenticationError", "InvalidPasswordError"], none._tag)
            yield* letIn(as(role, settings))
          })
        )
      }
    }

    it.effect("a user by the method that requireAuth names, and by no other", () =>
      Effect.gen(function* () {
        const methods = [
          ["trust_user", "none"],
          ["cleartext_user", "password"],
          ["md5_user", "md5"],
          ["scram_user", "scram-sha-256"]
        ] as const
        for (const [role, method] of methods) {
          yield* letIn(as(role, { requireAuth: [method] }))
          const others = methods.map(([, other]) => other).filter((other) => other !== method)
          const error = yield* refusal(as(role, { requireAuth: others }))
          if (error._tag !== "AuthenticationError") return assert.fail(String(error))
          assert.strictEqual(error.method, method)
          assert.include(error.message, others.join(", "))
        }
      })
    )

    it.effect("a user whose password is computed for each connection", () =>
      Effect.gen(function* () {
        let asked = 0
        const password = Effect.sync(() => {
          asked++
          return Redacted.make(rolePassword)
        })
        yield* letIn(as("scram_user", { password }))
        yield* letIn(as("scram_user", { password }))
        assert.strictEqual(asked, 2)
      })
    )
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })("the server keeps out", (it) => {
  it.effect("a user that asks for an unknown database or role", () =>
    Effect.gen(function* () {
      const database = yield* refusal({ database: "no such database" })
      assert.strictEqual(database._tag, "InvalidCatalogNameError")
      assert.include(database.message, "no such database")
      const role = yield* refusal({ user: "no such role" })
      assert.strictEqual(role._tag, "InvalidPasswordError")
      yield* letIn({})
    })
  )

  it.effect("a user that asks for an unknown run-time parameter", () =>
    Effect.gen(function* () {
      const error = yield* refusal({ settings: { no_such_setting: "on" } })
      assert.strictEqual(error._tag, "UndefinedObjectError")
      assert.include(error.message, "no_such_setting")
      yield* letIn({})
    })
  )

  it.effect("a user of the wrong address: every address that was tried is listed", () =>
    Effect.gen(function* () {
      const CLOSED_PORT = 1
      const error = yield* refusal({ host: ["127.0.0.1", "::1", "localhost"], port: CLOSED_PORT })
      if (error._tag !== "ConnectError") return assert.fail(String(error))
      assert.strictEqual(error.stage, "tcp")
      assert.deepStrictEqual([...new Set(error.attempts.map(({ host }) => host))], ["127.0.0.1", "::1", "localhost"])
      for (const { port, reason } of error.attempts) {
        assert.strictEqual(port, CLOSED_PORT)
        assert.match(reason, /^E[A-Z]+$/)
      }
      assert.isTrue(error.attempts.some(({ address }) => address === "127.0.0.1"))
      for (const { host } of error.attempts) assert.include(error.message, `${host}:${CLOSED_PORT}`)
      yield* letIn({})
    })
  )

  it.effect("a user of a name or socket that does not exist", () =>
    Effect.gen(function* () {
      const name = yield* refusal({ host: "no-such-host.invalid" })
      if (name._tag !== "ConnectError") return assert.fail(String(name))
      assert.strictEqual(name.stage, "resolve")
      assert.include(name.message, "no-such-host.invalid")
      const socket = yield* refusal({ host: "/no/such/directory" })
      if (socket._tag !== "ConnectError") return assert.fail(String(socket))
      assert.strictEqual(socket.stage, "tcp")
      assert.include(socket.message, "/no/such/directory")
      yield* letIn({ host: ["/no/such/directory", "no-such-host.invalid", server.host], port: server.port })
    })
  )
})

if (features.tls) {
  layer(TestDatabase.layer, { excludeTestServices: true })("under TLS", (it) => {
    const trusting: ReadonlyArray<readonly [string, string]> = [
      ["as PEM", pem("ca.crt")],
      ["as a file", pathOf("ca.crt")],
      ["among others", pem("other-ca.crt") + pem("ca.crt")]
    ]

    for (const [sslMode, isEncrypted] of [
      ["disable", false],
      ["prefer", true],
      ["require", true]
    ] as const) {
      it.effect(`with sslMode ${sslMode} the connection is encrypted: ${isEncrypted}`, () =>
        Effect.gen(function* () {
          assert.strictEqual((yield* letIn({ sslMode })).isEncrypted, isEncrypted)
          assert.strictEqual((yield* letIn({ sslMode, host: ANOTHER_NAME })).isEncrypted, isEncrypted)
        })
      )
    }

    it.effect("the connection is encrypted by default", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* letIn({})).isEncrypted, true)
      })
    )

    for (const [how, sslRootCert] of trusting) {
      for (const sslMode of ["require", "verify-ca", "verify-full"] as const) {
        it.effect(`sslMode ${sslMode} accepts a server whose authority is given ${how}`, () =>
          Effect.gen(function* () {
            assert.isTrue((yield* letIn({ sslMode, sslRootCert })).isEncrypted)
          })
        )
      }
    }

    for (const sslMode of ["require", "verify-ca", "verify-full"] as const) {
      it.effect(`sslMode ${sslMode} refuses a server of another authority`, () =>
        Effect.gen(function* () {
          const error = yield* refusal({ sslMode, sslRootCert: pem("other-ca.crt") })
          if (error._tag !== "ConnectError") return assert.fail(String(error))
          assert.strictEqual(error.stage, "tls")
          assert.strictEqual(error.attempts[0]?.wasClosed, undefined)
          assert.match(error.message, /certificate/)
          yield* letIn({ sslMode, sslRootCert: pem("ca.crt") })
        })
      )
    }

    it.effect("sslMode verify-full refuses a server without a public authority, if no authority is given", () =>
      Effect.gen(function* () {
        const error = yield* refusal({ sslMode: "verify-full", sslRootCert: "system" })
        if (error._tag !== "ConnectError") return assert.fail(String(error))
        assert.strictEqual(error.stage, "tls")
      })
    )

    it.effect("sslMode verify-full refuses a server of another name, and verify-ca does not", () =>
      Effect.gen(function* () {
        const sslRootCert = pem("ca.crt")
        const error = yield* refusal({ sslMode: "verify-full", sslRootCert, host: ANOTHER_NAME })
        if (error._tag !== "ConnectError") return assert.fail(String(error))
        assert.strictEqual(error.stage, "tls")
        assert.include(error.message, ANOTHER_NAME)
        assert.isTrue((yield* letIn({ sslMode: "verify-ca", sslRootCert, host: ANOTHER_NAME })).isEncrypted)
        assert.isTrue((yield* letIn({ sslMode: "verify-full", sslRootCert, host: "localhost" })).isEncrypted)
        assert.isTrue((yield* letIn({ sslMode: "verify-full", sslRootCert, host: "127.0.0.1" })).isEncrypted)
      })
    )

    it.effect("a client is let in by its certificate, and not without it", () =>
      Effect.gen(function* () {
        const home = yield* homeWith({ "client.key": pem("client.key") })
        const certificates: ReadonlyArray<PgConfig.Settings> = [
          { sslCert: pem("client.crt"), sslKey: Redacted.make(pem("client.key")) },
          { sslCert: pathOf("client.crt"), sslKey: path.join(home, "client.key") }
        ]
        for (const certificate of certificates) {
          const settings = { user: "cert_user", sslMode: "verify-full", sslRootCert: pem("ca.crt") } as const
          assert.deepStrictEqual(yield* letIn({ ...settings, ...certificate }), {
            user: "cert_user",
            isEncrypted: true
          })
        }
        const error = yield* refusal({ user: "cert_user", sslMode: "require" })
        assert.strictEqual(error._tag, "InvalidAuthorizationSpecificationError")
        assert.include(error.message, "certificate")
      })
    )

    it.effect("roles that must use it are refused without it, and those that must not are refused with it", () =>
      Effect.gen(function* () {
        const tlsOnly = yield* refusal(as("tls_only_user", { sslMode: "disable" }))
        assert.strictEqual(tlsOnly._tag, "InvalidAuthorizationSpecificationError")
        assert.isTrue((yield* letIn(as("tls_only_user", { sslMode: "require" }))).isEncrypted)
        for (const sslMode of ["require", "verify-full"] as const) {
          const plainOnly = yield* refusal(as("plain_only_user", { sslMode, sslRootCert: pem("ca.crt") }))
          assert.strictEqual(plainOnly._tag, "InvalidAuthorizationSpecificationError")
        }
        assert.isFalse((yield* letIn(as("plain_only_user", { sslMode: "disable" }))).isEncrypted)
      })
    )

    it.effect("sslMode prefer goes in the clear if only that is allowed, and encrypts if it must", () =>
      Effect.gen(function* () {
        assert.isFalse((yield* letIn(as("plain_only_user", { sslMode: "prefer" }))).isEncrypted)
        assert.isTrue((yield* letIn(as("tls_only_user", { sslMode: "prefer" }))).isEncrypted)
      })
    )

    it.effect("a query is canceled as it is without TLS", () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        const connection = yield* liveConnection({ sslMode: "verify-full", sslRootCert: pem("ca.crt") })
        yield* Effect.timeoutOption(connection.execute("SELECT pg_sleep(60)"), "50 millis")
        const startedAt = Date.now()
        yield* assertHealthy(connection)
        assert.isBelow(Date.now() - startedAt, 2_000)
        assert.strictEqual(yield* valueOf(connection, "SELECT pg_backend_pid()"), connection.processId)
        yield* assertHealthy(observer)
      })
    )
  })
}
