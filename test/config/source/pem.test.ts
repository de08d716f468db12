/** Tests the files of TLS: private keys in each format, and lists of revoked certificates. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { inspect } from "node:util"
import * as PgConfig from "../../../src/PgConfig.ts"
import { homeWith, refusal, untyped } from "../home.ts"

const pemOf = (name: string): string => fs.readFileSync(new URL(`../../support/tls/${name}`, import.meta.url), "utf8")

const certificate = pemOf("client.crt")
const key = createPrivateKey(pemOf("client.key"))
const authority = pemOf("ca.crt")
const PASSWORD = "hunter2 ü"
const cipher = "aes-256-cbc"
/** A list of which only the label is read. */
const list = (content: string): string => `-----BEGIN X509 CRL-----\n${content}\n-----END X509 CRL-----`

const publicOf = (pem: string | KeyObject): string =>
  createPublicKey(pem).export({ type: "spki", format: "pem" }).toString()

const keys: ReadonlyArray<readonly [what: string, bytes: string | Buffer, password: string | undefined]> = [
  ["PKCS#8 in PEM", key.export({ type: "pkcs8", format: "pem" }), undefined],
  ["SEC 1 in PEM", key.export({ type: "sec1", format: "pem" }), undefined],
  ["PKCS#8 in DER", key.export({ type: "pkcs8", format: "der" }), undefined],
  ["SEC 1 in DER", key.export({ type: "sec1", format: "der" }), undefined],
  [
    "PKCS#8 in PEM, not encrypted, with a password that is not needed",
    key.export({ type: "pkcs8", format: "pem" }),
    "x"
  ],
  ["encrypted PKCS#8 in PEM", key.export({ type: "pkcs8", format: "pem", cipher, passphrase: PASSWORD }), PASSWORD],
  ["encrypted PKCS#8 in DER", key.export({ type: "pkcs8", format: "der", cipher, passphrase: PASSWORD }), PASSWORD],
  ["encrypted SEC 1 in PEM", key.export({ type: "sec1", format: "pem", cipher, passphrase: PASSWORD }), PASSWORD]
]

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
const encrypted = key.export({ type: "pkcs8", format: "pem", cipher, passphrase: PASSWORD }).toString()

/** Resolves settings in a home that has the files. */
const resolvedIn = (settings: object, files: Readonly<Record<string, string>> = {}, environment = {}) =>
  Effect.flatMap(homeWith(files), (HOME) =>
    PgConfig.resolve(untyped({ host: "db", ...settings }), { HOME, ...environment })
  )

describe("the client's key", () => {
  for (const [what, bytes, password] of keys) {
    it.effect(`is read from a file as ${what}`, () =>
      Effect.gen(function* () {
        const home = yield* homeWith({ "client.crt": certificate })
        const sslKey = path.join(home, "client.key")
        fs.writeFileSync(sslKey, bytes, { mode: 0o600 })
        const sslPassword = password === undefined ? {} : { sslPassword: Redacted.make(password) }
        const config = yield* resolvedIn({ sslCert: certificate, sslKey, ...sslPassword })
        assert.strictEqual(publicOf(config.sslKey ?? ""), publicOf(key))
        assert.notInclude(inspect(config, { depth: Infinity }), "hunter2")
        const query = new URLSearchParams({ sslcert: path.join(home, "client.crt"), sslkey: sslKey })
        if (password !== undefined) query.set("sslpassword", password)
        const url = `postgres://db/?${query.toString().replaceAll("+", "%20")}`
        assert.strictEqual((yield* resolvedIn({ url })).sslKey, config.sslKey)
      })
    )
  }

  it.effect("is decrypted if it is given as text", () =>
    Effect.gen(function* () {
      const config = yield* resolvedIn({ sslCert: certificate, sslKey: encrypted, sslPassword: PASSWORD })
      assert.strictEqual(publicOf(config.sslKey ?? ""), publicOf(key))
      assert.notInclude(config.sslKey ?? "", "ENCRYPTED")
    })
  )

  it.effect("must belong to the certificate", () =>
    Effect.gen(function* () {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" })
      for (const other of [rsa, privateKey]) {
        const sslKey = other.export({ type: "pkcs8", format: "pem" }).toString()
        assert.strictEqual(
          yield* refusal(resolvedIn({ sslCert: certificate, sslKey })),
          "sslKey: is not the key of sslCert; the server would get no certificate at all"
        )
        assert.match(
          yield* refusal(
            resolvedIn({}, { ".postgresql/postgresql.crt": certificate, ".postgresql/postgresql.key": sslKey })
          ),
          /^sslKey: is not the key of sslCert/
        )
      }
    })
  )

  const refused: ReadonlyArray<readonly [what: string, settings: object, reason: RegExp]> = [
    ["an encrypted key without a password", { sslKey: encrypted }, /^sslKey: is encrypted; set sslPassword$/],
    [
      "an encrypted key with another password",
      { sslKey: encrypted, sslPassword: "hunter3" },
      /^sslKey: cannot be decrypted with sslPassword$/
    ],
    [
      "a garbled key",
      { sslKey: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----" },
      /^sslKey: is not a private key that this client can read$/
    ],
    ["a password that is no string", { sslKey: encrypted, sslPassword: 7 }, /^sslPassword: must be a string$/]
  ]
  it.effect.each(refused)("cannot be %s", ([, settings, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(resolvedIn({ sslCert: certificate, ...settings })), reason)
    })
  )

  it.effect("is refused from a file that others can read, and from one that is no key", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({ "client.key": pemOf("client.key"), garbage: "no key" })
      const sslKey = path.join(home, "client.key")
      const settings = { sslCert: certificate, sslKey }
      const isRoot = fs.statSync(sslKey).uid === 0
      for (const mode of [0o644, 0o660, 0o604, ...(isRoot ? [] : [0o640])]) {
        fs.chmodSync(sslKey, mode)
        assert.match(
          yield* refusal(resolvedIn(settings)),
          /^sslKey: is a file that its group or others can access; run/
        )
      }
      for (const mode of [0o600, 0o400, ...(isRoot ? [0o640] : [])]) {
        fs.chmodSync(sslKey, mode)
        yield* resolvedIn(settings)
      }
      assert.match(
        yield* refusal(resolvedIn({ sslCert: certificate, sslKey: path.join(home, "garbage") })),
        /^sslKey: is not a private key that this client can read$/
      )
    })
  )

  it.effect("is not looked at if no certificate is to be sent", () =>
    Effect.gen(function* () {
      const files = { ".postgresql/postgresql.crt": certificate, ".postgresql/postgresql.key": "garbage" }
      const { sslCert, sslKey } = yield* resolvedIn({ sslCertMode: "disable" }, files)
      assert.deepStrictEqual([sslCert, sslKey], [undefined, undefined])
      yield* Effect.flip(resolvedIn({ sslCertMode: "require" }, files))
      const fromVariable = yield* resolvedIn({}, files, { PGSSLCERTMODE: "disable" })
      assert.strictEqual(fromVariable.sslCertMode, "disable")
    })
  )
})

describe("lists of revoked certificates", () => {
  const trusted = { sslMode: "verify-ca", sslRootCert: authority }

  it.effect("are those of the home by default, beside a root certificate", () =>
    Effect.gen(function* () {
      const files = { ".postgresql/root.crl": `${list("AAAA")}\n${list("BBBB")}`, ".postgresql/root.crt": authority }
      const found = (settings: object) => Effect.map(resolvedIn(settings, files), ({ sslCrl }) => sslCrl)
      for (const sslMode of ["allow", "require", "verify-ca", "verify-full"]) {
        assert.deepStrictEqual(yield* found({ sslMode }), [list("AAAA"), list("BBBB")], sslMode)
      }
      assert.deepStrictEqual(yield* found({ sslMode: "verify-full", sslRootCert: "system" }), [])
      assert.deepStrictEqual(yield* found({ sslMode: "disable" }), [])
      assert.deepStrictEqual(yield* found({ ...trusted, sslCrl: list("CCCC") }), [list("CCCC")])
      assert.deepStrictEqual((yield* resolvedIn(trusted)).sslCrl, [])
    })
  )

  it.effect("are those of a file or directory that is named, in the options, a URL or the environment", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({
        "my.crl": list("AAAA"),
        "crls/01234abc.r0": list("BBBB"),
        "crls/01234abc.r1": list("CCCC"),
        "crls/readme": list("DDDD"),
        "empty/readme": ""
      })
      const sslCrl = path.join(home, "my.crl")
      const sslCrlDir = path.join(home, "crls")
      const both = [list("AAAA"), list("BBBB"), list("CCCC")]
      assert.deepStrictEqual((yield* resolvedIn({ ...trusted, sslCrl, sslCrlDir })).sslCrl, both)
      const url = `postgres://db/?sslcrl=${sslCrl}&sslcrldir=${sslCrlDir}`
      assert.deepStrictEqual((yield* resolvedIn({ ...trusted, url })).sslCrl, both)
      const environment = { PGSSLCRL: sslCrl, PGSSLCRLDIR: sslCrlDir }
      assert.deepStrictEqual((yield* resolvedIn(trusted, {}, environment)).sslCrl, both)
      const files = { ".postgresql/root.crl": list("DDDD") }
      assert.deepStrictEqual((yield* resolvedIn({ ...trusted, sslCrlDir }, files)).sslCrl, both.slice(1))
      const refused: ReadonlyArray<readonly [settings: object, reason: RegExp]> = [
        [{ sslCrl: "/gone" }, /^sslCrl: is neither PEM text nor the path of a readable file \(ENOENT\)$/],
        [{ sslCrl: authority }, /^sslCrl: contains no PEM X509 CRL$/],
        [{ sslCrlDir: "/gone" }, /^sslCrlDir: is not the path of a readable directory \(ENOENT\)$/],
        [{ sslCrlDir: path.join(home, "empty") }, /^sslCrlDir: has no CRL; make names such as 1a2b3c4d.r0/]
      ]
      for (const [settings, reason] of refused) {
        assert.match(yield* refusal(resolvedIn({ ...trusted, ...settings })), reason)
      }
    })
  )
})
