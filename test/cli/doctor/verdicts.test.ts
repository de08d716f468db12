/** Tests the verdicts of the doctor that depend on a clock or on a distance. */
import { assert, describe, it } from "@effect/vitest"
import { judgeCertificates } from "../../../src/cli/doctor/certificates.ts"
import { judgeLatency, judgeSkew } from "../../../src/cli/doctor/timing.ts"
import { judgeVersion } from "../../../src/cli/doctor/version.ts"

const now = new Date("2026-11-29T12:00:00Z")
const day = (text: string): Date => new Date(text)

describe("the doctor's verdict", () => {
  it.each([
    ["ok", "2026-12-29T13:00:00Z", "30 days left, until 2026-12-29"],
    ["warning", "2026-12-28T13:00:00Z", "29 days left, until 2026-12-28"],
    ["warning", "2026-11-29T13:00:00Z", "0 days left, until 2026-11-29"],
    ["wrong", "2026-11-29T11:00:00Z", "expired 1 day ago, on 2026-11-29"],
    ["wrong", "2026-11-01T12:00:00Z", "expired 28 days ago, on 2026-11-01"]
  ])("of a certificate is %s if it is valid until %s", (status, validTo, message) => {
    const [finding] = judgeCertificates([{ subject: "db", issuer: "CA", validTo: day(validTo) }], now)
    assert.strictEqual(finding?.status, status)
    assert.strictEqual(finding?.message, `db, signed by CA: ${message}`)
  })

  it.each([
    ["ok", "14.9", "2026-11-11"],
    ["warning", "14.9", "2026-11-13"],
    ["ok", "18.4 (Debian 18.4-1)", "2026-11-29"],
    ["ok", "19beta1", "2026-11-29"],
    ["warning", "9.6.24", "2020-01-01"]
  ])("of a release is %s for %s on %s", (status, version, today) => {
    assert.strictEqual(judgeVersion(version, day(today)).status, status)
  })

  it.each([
    ["ok", 1500, 5_000],
    ["ok", -900, 1],
    ["warning", 1002, 2],
    ["warning", -90_000, 10]
  ])("of clocks is %s for %s ms that were measured in a round trip of %s ms", (status, skew, millis) => {
    assert.strictEqual(judgeSkew({ millis, skew }).status, status)
  })

  it("of a distance names its milliseconds", () => {
    assert.deepInclude(judgeLatency(0.25), { status: "ok", message: "a round trip takes 0.3 ms" })
    assert.deepInclude(judgeLatency(80), { status: "warning", message: "a round trip takes 80.0 ms" })
  })
})
