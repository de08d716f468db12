import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { sourcesOf } from "../../src/config/source/sources.ts"
import { resolveTls, type SslMode, type Tls } from "../../src/config/tls.ts"
import { homeWith, refusal } from "./home.ts"

const fileOf = (name: string): string => fileURLToPath(new URL(`../support/tls/${name}`, import.meta.url))
const pemOf = (name: string): string => fs.readFileSync(fileOf(name), "utf8")

const authority = pemOf("ca.crt")
const certificate = pemOf("client.crt")
const key = pemOf("client.key")

const defaults: Tls = {
  sslMode: "prefer",
  sslNegotiation: "postgres",
  sslRootCert: undefined,
  sslCert: undefined,
  sslKey: undefined,
  sslCertMode: "allow",
  sslCrl: [],
  sslSni: true,
  sslMinProtocolVersion: "TLSv1.2",
  sslMaxProtocolVersion: undefined
}

const tls = (settings: object, HOME: string) =>
  Effect.flatMap(sourcesOf(settings, { HOME }), (source) => resolveTls(source, { HOME }))

describe("TLS", () => {
  it.effect("uses sslMode prefer, and checks no certificate, by default", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* tls({}, yield* homeWith()), defaults)
    })
  )

  it.effect("accepts certificates and keys as PEM text and as paths", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({ "client.key": key })
      const keyFile = path.join(home, "client.key")
      const expected: Tls = {
        ...defaults,
        sslMode: "verify-ca",
        sslRootCert: authority,
        sslCert: certificate,
        sslKey: key
      }
      const { sslMode } = expected
      assert.deepStrictEqual(
        yield* tls({ sslMode, sslRootCert: authority, sslCert: certificate, sslKey: Redacted.make(key) }, home),
        expected
      )
      assert.deepStrictEqual(
        yield* tls({ sslMode, sslRootCert: fileOf("ca.crt"), sslCert: fileOf("client.crt"), sslKey: keyFile }, home),
        expected
      )
      const query = new URLSearchParams({ sslrootcert: fileOf("ca.crt"), sslcert: fileOf("client.crt") })
      assert.deepStrictEqual(
        yield* tls({ url: `postgres:///?sslmode=${sslMode}&${query}&sslkey=${keyFile}` }, home),
        expected
      )
    })
  )

  it.effect("finds the certificates in the home, as libpq does", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({
        ".postgresql/root.crt": authority,
        ".postgresql/postgresql.crt": certificate,
        ".postgresql/postgresql.key": key
      })
      for (const sslMode of ["require", "verify-ca", "verify-full"] satisfies ReadonlyArray<SslMode>) {
        assert.deepStrictEqual(yield* tls({ sslMode }, home), {
          ...defaults,
          sslMode,
          sslRootCert: authority,
          sslCert: certificate,
          sslKey: key
        })
      }
      assert.strictEqual((yield* tls({ sslMode: "prefer" }, home)).sslRootCert, authority)
      assert.strictEqual((yield* tls({ sslRootCert: pemOf("other-ca.crt") }, home)).sslRootCert, pemOf("other-ca.crt"))
      assert.strictEqual((yield* tls({ sslMode: "verify-full", sslRootCert: "system" }, home)).sslRootCert, undefined)
    })
  )

  it.effect("ignores a key in the home without its certificate", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({ ".postgresql/postgresql.key": key })
      assert.strictEqual((yield* tls({}, home)).sslKey, undefined)
      assert.strictEqual((yield* tls({ sslCert: certificate }, home)).sslKey, key)
    })
  )

  it.effect("reads no file if it is disabled", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({ ".postgresql/postgresql.crt": certificate })
      const { sslCert, sslMode, sslRootCert } = yield* tls({ sslMode: "disable", sslRootCert: "/gone" }, home)
      assert.deepStrictEqual([sslMode, sslRootCert, sslCert], ["disable", undefined, undefined])
    })
  )

  it.effect("verifies everything if it trusts the authorities that Node trusts", () =>
    Effect.gen(function* () {
      const home = yield* homeWith()
      assert.strictEqual((yield* tls({ sslRootCert: "system" }, home)).sslMode, "verify-full")
      assert.strictEqual((yield* tls({ sslMode: "verify-full" }, home)).sslRootCert, undefined)
      for (const sslMode of ["prefer", "require", "verify-ca"]) {
        assert.match(
          yield* refusal(tls({ sslMode, sslRootCert: "system" }, home)),
          /^sslMode: must be verify-full if sslRootCert is "system"/
        )
      }
      assert.match(yield* refusal(tls({ sslMode: "verify-ca" }, home)), /^sslMode: is verify-ca, which needs a root/)
    })
  )

  const refused: ReadonlyArray<readonly [what: string, settings: object, reason: RegExp]> = [
    [
      "another mode",
      { sslMode: "no-verify" },
      /^sslMode: must be one of: disable, allow, prefer, require, verify-ca, verify-full; write require, which/
    ],
    ["a boolean", { sslMode: true }, /must be one of/],
    ["a mode of the URL", { url: "postgres:///?sslmode=Require" }, /^sslmode of the URL: must be one of/],
    ["a file that is not there", { sslRootCert: "/gone" }, /^sslRootCert: is neither PEM text nor .* \(ENOENT\)$/],
    ["a key for a certificate", { sslRootCert: key }, /^sslRootCert: contains no PEM CERTIFICATE$/],
    ["a certificate for a key", { sslCert: certificate, sslKey: certificate }, /^sslKey: contains no PEM PRIVATE KEY$/],
    ["a certificate alone", { sslCert: certificate }, /^sslKey: is missing/],
    ["a key alone", { sslKey: key }, /^sslCert: is missing/],
    ["a number", { sslRootCert: 7 }, /^sslRootCert: must be a string$/]
  ]

  it.effect.each(refused)("refuses %s", ([, settings, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(tls(settings, yield* homeWith())), reason)
    })
  )

  it.effect("does not repeat a key that was taken for a path", () =>
    Effect.gen(function* () {
      const bare = key.replaceAll(/-----.*-----/g, "")
      const message = yield* refusal(tls({ sslCert: certificate, sslKey: bare }, yield* homeWith()))
      assert.match(message, /^sslKey: is neither PEM text nor the path of a readable file/)
      assert.notInclude(message, bare.slice(10, 40))
      assert.isBelow(message.length, 100)
    })
  )
})
