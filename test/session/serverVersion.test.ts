import { assert, describe, it } from "@effect/vitest"
import { serverVersionOf } from "../../src/session/serverVersion.ts"

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
  ["another server", 0, 0],
  ["", 0, 0]
]

describe("the version of a server", () => {
  for (const [text, major, minor] of versions) {
    it(`is read from ${JSON.stringify(text)}`, () => {
      assert.deepStrictEqual(serverVersionOf(new Map([["server_version", text]])), { major, minor, text })
    })
  }

  it("is 0 where the server does not tell it", () => {
    assert.deepStrictEqual(serverVersionOf(new Map()), { major: 0, minor: 0, text: "" })
  })
})
