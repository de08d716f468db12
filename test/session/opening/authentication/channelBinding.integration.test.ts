/**
 * SCRAM-SHA-256-PLUS with the real server, which hashes its certificate by itself, for every signature that a certificate
 * may have; and what the real libpq does there.
 */
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as PgConfig from "../../../../src/PgConfig.ts"
import * as PgConnection from "../../../../src/PgConnection.ts"
import { type Libpq, libpq } from "../../../support/libpq/libpq.ts"
import { assertHealthy } from "../../../support/live.ts"
import { rolePassword } from "../../../support/postgres.ts"
import { certificate, type CertificateOptions, type Identity } from "../../../support/tls/certificates.ts"
import { type PresentingServer, presentingServer } from "../../../support/tls/presentingServer.ts"

const root = certificate({ subject: "root", key: "rsa", isAuthority: true })
const ecRoot = certificate({ subject: "root", isAuthority: true })
const ed25519Root = certificate({ subject: "root", key: "ed25519", isAuthority: true })

const signed = (options: Partial<CertificateOptions>): Identity =>
  certificate({ subject: "server", dns: ["localhost"], ...options })

/** What the server shows, and whether it can be bound to. */
const shown: ReadonlyArray<readonly [what: string, identity: Identity, isBound: boolean]> = [
  // OpenSSL lets a server show an MD5 signature only if it is its own.
  ["RSA and MD5", signed({ key: "rsa", digest: "md5" }), true],
  ["RSA and SHA-1", signed({ issuer: root, digest: "sha1" }), true],
  ["RSA and SHA-224", signed({ issuer: root, digest: "sha224" }), true],
  ["RSA and SHA-256", signed({ issuer: root, digest: "sha256" }), true],
  ["RSA and SHA-384", signed({ issuer: root, digest: "sha384" }), true],
  ["RSA and SHA-512", signed({ issuer: root, digest: "sha512" }), true],
  ["ECDSA and SHA-1", signed({ issuer: ecRoot, digest: "sha1" }), true],
  ["ECDSA and SHA-256", signed({ issuer: ecRoot, digest: "sha256" }), true],
  ["ECDSA and SHA-384", signed({ issuer: ecRoot, digest: "sha384" }), true],
  ["ECDSA and SHA-512", signed({ issuer: ecRoot, digest: "sha512" }), true],
  ["RSASSA-PSS and SHA-256", signed({ issuer: root, digest: "sha256", pss: true }), true],
  ["RSASSA-PSS and SHA-384", signed({ issuer: root, digest: "sha384", pss: true }), true],
  ["RSASSA-PSS and SHA-512", signed({ issuer: root, digest: "sha512", pss: true }), true],
  ["Ed25519", signed({ issuer: ed25519Root }), false]
]

class Rig extends Context.Service<Rig, PresentingServer & { readonly library: Libpq | undefined }>()("test/Binding") {
  static readonly layer = Layer.effect(
    Rig,
    Effect.gen(function* () {
      return { ...(yield* presentingServer(root)), library: yield* libpq }
    })
  )
}

const connecting = (settings: PgConfig.Settings) =>
  Effect.gen(function* () {
    const { server } = yield* Rig
    return yield* PgConnection.make({
      host: "localhost",
      port: server.port,
      user: "scram_user",
      password: Redacted.make(rolePassword),
      database: "postgres",
      sslMode: "require",
      ...settings
    })
  })

const isRefusedByLibpq = (library: Libpq, binding: string) =>
  Effect.gen(function* () {
    const { server } = yield* Rig
    const address = `host=localhost port=${server.port} dbname=postgres user=scram_user password='${rolePassword}'`
    const answer = yield* library.ask({ conninfo: `${address} sslmode=require channel_binding=${binding}` })
    return !answer.isConnected
  })

layer(Rig.layer, { excludeTestServices: true })("a certificate signed with", (it) => {
  for (const [what, identity, isBound] of shown) {
    it.effect(`${what} ${isBound ? "binds" : "does not bind"} the authentication, as in libpq`, () =>
      Effect.gen(function* () {
        const { library, present } = yield* Rig
        yield* present(identity)
        for (const channelBinding of ["require", "prefer", "disable"] as const) {
          const isRefused = !isBound && channelBinding !== "disable"
          if (isRefused) {
            const error = yield* Effect.flip(connecting({ channelBinding }))
            assert.strictEqual(error._tag, "AuthenticationError")
            assert.include(error.message, "no digest")
          } else {
            yield* assertHealthy(yield* connecting({ channelBinding }))
          }
          if (library === undefined) continue
          assert.strictEqual(yield* isRefusedByLibpq(library, channelBinding), isRefused, `libpq: ${channelBinding}`)
        }
      }).pipe(Effect.scoped)
    )
  }

  it.effect("any of them cannot be required without TLS", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(connecting({ sslMode: "disable", channelBinding: "require" }))
      assert.strictEqual(error._tag, "AuthenticationError")
      yield* assertHealthy(yield* connecting({ sslMode: "disable" }))
    }).pipe(Effect.scoped)
  )

  it.effect("any of them is not bound to by a server that is asked for a wrong password", () =>
    Effect.gen(function* () {
      yield* (yield* Rig).present(signed({ issuer: root }))
      const error = yield* Effect.flip(connecting({ channelBinding: "require", password: Redacted.make("wrong") }))
      assert.strictEqual(error._tag, "InvalidPasswordError")
      yield* assertHealthy(yield* connecting({ channelBinding: "require" }))
    }).pipe(Effect.scoped)
  )
})
