import { assert, describe, it } from "@effect/vitest"
import { serverVersionOf } from "../../src/wire/serverVersion.ts"

const versions: ReadonlyArray<readonly [text: string, major: number, minor: number]> = [
  ["18.4", 18, 4],
  ["15.18 (Debian 15.18-0+deb12u1)", 15, 18],
  ["10.1", 10, 1],
  ["19beta1", 19, 0],
  ["10devel", 10, 0],
  ["17rc1", 17, 0],
  ["9.6.24", 9, 6],
  ["11.2-YB-2.7.1.1-b0", 11, 2],
  ["13.0.0", 13, 0],
  ["18devel", 18, 0],
  ["17beta1", 17, 0],
  // Other servers that speak the protocol, and poolers, each with the text that it sends.
  ["PostgreSQL 10.1 (Debian 10.1-3)", 10, 1],
  ["PostgreSQL 11.2-YB-2.7.1.1-b0 on x86_64-pc-linux-gnu, compiled by clang", 11, 2],
  ["15.2-YB-2024.2.0.0-b0", 15, 2],
  ["8.0.2", 8, 0],
  ["PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.61678", 8, 0],
  ["9.4.26", 9, 4],
  ["12.12 (Greenplum Database 7.0.0 build commit:0a7a3566)", 12, 12],
  ["14.5.0 (EnterpriseDB Advanced Server 14.5.0)", 14, 5],
  ["EnterpriseDB 9.6.2.7", 9, 6],
  ["15.4", 15, 4],
  ["PostgreSQL 16.3 on aarch64-unknown-linux-gnu, compiled by aarch64-unknown-linux-gnu-gcc, Aurora", 16, 3],
  ["postgres 14.1", 14, 1],
  ["PostgreSQL v14.1", 14, 1],
  [" 14.1", 14, 1],
  ["1.22.1/bouncer", 1, 22],
  ["CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)", 0, 0],
  ["PostgreSQL", 0, 0],
  ["99999999999", 0, 0],
  ["another server", 0, 0],
  ["", 0, 0]
]

describe("the version of a server", () => {
  for (const [text, major, minor] of versions) {
    it(`is read from ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(serverVersionOf(new Map([["server_version", text]])), { major, minor, text })
    })
  }

  it("is 0 if the server does not report it", () => {
    assert.deepStrictEqual(serverVersionOf(new Map()), { major: 0, minor: 0, text: "" })
  })
})
