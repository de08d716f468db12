import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { inspect } from "node:util"
import { ScramKeys } from "../../../../src/session/opening/authentication/scramKeys.ts"
import { derivationsOf } from "../../../support/derivations.ts"

const challenge = { salt: Buffer.from("salt of the test"), iterations: 4096 }

/** How many keys a cache has to keep at least, and how many at most. */
const BOUND = 100

describe("the keys of SCRAM", () => {
  it("are derived once for 50 connections that are opened at once, and for those that follow", async () => {
    const keys = new ScramKeys()
    const { count, result } = await derivationsOf(async () => {
      const all = await Promise.all(Array.from({ length: 50 }, () => keys.of("pencil", challenge)))
      return [...all, await keys.of("pencil", challenge)]
    })
    assert.strictEqual(count, 1)
    assert.strictEqual(new Set(result).size, 1)
  })

  it("are derived anew for another password, salt or number of iterations", async () => {
    const keys = new ScramKeys()
    const first = await keys.of("pencil", challenge)
    for (const [password, salt, iterations] of [
      ["Pencil", challenge.salt, 4096],
      ["pencil", Buffer.from("another salt"), 4096],
      ["pencil", challenge.salt, 4097],
      ["", challenge.salt, 4096]
    ] as const) {
      const { count, result } = await derivationsOf(() => keys.of(password, { salt, iterations }))
      assert.strictEqual(count, 1)
      assert.notDeepEqual(result.clientKey, first.clientKey)
    }
    assert.strictEqual((await derivationsOf(() => keys.of("pencil", challenge))).count, 0)
  })

  it("are forgotten when they have failed, and nothing else is", async () => {
    const keys = new ScramKeys()
    const first = await keys.of("pencil", challenge)
    await keys.of("wrong", challenge)
    keys.forget("wrong", challenge)
    assert.strictEqual((await derivationsOf(() => keys.of("wrong", challenge))).count, 1)
    assert.strictEqual(await keys.of("pencil", challenge), first)
  })

  it("are bounded in number: those that were not used for the longest time go", async () => {
    const keys = new ScramKeys()
    const of = (role: number) => keys.of("pencil", { salt: Buffer.from(`role ${role}`), iterations: 1 })
    await of(0)
    await of(1)
    for (let role = 2; role < BOUND; role++) await of(role)
    const kept = await derivationsOf(() => of(0))
    assert.strictEqual(kept.count, 0)
    await of(BOUND)
    assert.strictEqual((await derivationsOf(() => of(0))).count, 0)
    assert.strictEqual((await derivationsOf(() => of(1))).count, 1)
  })

  it("are shown by nothing that prints the cache, and neither is the password", async () => {
    const keys = new ScramKeys()
    const { clientKey } = await keys.of("pencil", challenge)
    const printed = [inspect(keys, { depth: 10, showHidden: true }), JSON.stringify(keys), String(keys)].join()
    for (const secret of ["pencil", clientKey.toString("hex"), clientKey.toString("base64"), inspect(clientKey)]) {
      assert.notInclude(printed, secret)
    }
  })
})
