/** The rules by which a certificate is for a host; `tlsMatrix.integration.test.ts` compares some with libpq. */
import { assert, describe, it } from "@effect/vitest"
import * as net from "node:net"
import { hostMismatch } from "../../../src/session/encryption/certificateHost.ts"
import { certificate, type CertificateOptions } from "../../support/tls/certificates.ts"

const table: ReadonlyArray<
  readonly [names: Omit<CertificateOptions, "issuer">, fits: ReadonlyArray<string>, not: ReadonlyArray<string>]
> = [
  [
    { subject: "common.example", dns: ["db.example", "Other.Example"] },
    ["db.example", "DB.example", "other.example"],
    ["common.example", "db.example.", "x.db.example", "b.example", "db.exampl", "", "127.0.0.1"]
  ],
  [
    { subject: "x", dns: ["*.db.example"] },
    ["a.db.example", "A.DB.EXAMPLE", "*.db.example"],
    ["db.example", ".db.example", "a.b.db.example", "a.db.example.", "adb.example"]
  ],
  [{ subject: "x", dns: ["*", "*.", "a*.db.example", "db.*.example"] }, ["*"], ["a", "ab.db.example", "db.a.example"]],
  [{ subject: "db.example" }, ["db.example", "DB.EXAMPLE"], ["x.example"]],
  [{ subject: "*.db.example" }, ["a.db.example"], ["db.example"]],
  [{ subject: "db.example", addresses: ["127.0.0.1"] }, ["db.example", "127.0.0.1"], ["127.0.0.2", "::1"]],
  [{ subject: "127.0.0.1" }, ["127.0.0.1"], ["127.0.0.2"]],
  [{ subject: "127.0.0.1", dns: ["db.example"] }, ["127.0.0.1", "db.example"], ["127.0.0.2"]],
  [{ subject: "127.0.0.1", addresses: ["127.0.0.2"] }, ["127.0.0.2"], ["127.0.0.1"]],
  [{ subject: "x", dns: ["127.0.0.1"] }, ["127.0.0.1"], ["127.0.0.2"]],
  [{ subject: "x", dns: ["::1"], addresses: ["127.0.0.1"] }, ["::1", "127.0.0.1"], ["0:0:0:0:0:0:0:1"]],
  [{ subject: "x", addresses: ["::1"] }, ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1", "localhost"]],
  [{ subject: "x", dns: ["db.example\0.evil.example"] }, [], ["db.example", "db.example\0.evil.example"]],
  [{ subject: "b\u00fccher.example" }, ["b\u00fccher.example"], ["bucher.example", "b\u00dccher.example"]]
]

describe("a certificate", () => {
  for (const [options, fits, not] of table) {
    const { dns = [], addresses = [], subject } = options
    it(`with the common name ${JSON.stringify(subject)} and the entries ${JSON.stringify([...dns, ...addresses])} fits some hosts only`, () => {
      const { der } = certificate(options)
      for (const host of fits) assert.isUndefined(hostMismatch(der, host, net.isIP(host) !== 0), host)
      for (const host of not) assert.isString(hostMismatch(der, host, net.isIP(host) !== 0), host)
    })
  }

  it("does not show its names in the reason, which anybody could have chosen", () => {
    const { der } = certificate({ subject: "call 555", dns: ["evil.example"] })
    assert.notMatch(hostMismatch(der, "db.example", false) ?? "", /evil|555/)
  })
})
