import { assert, describe, inject, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import pg from "pg"
import { generateOids } from "../fixtures/generateOids.ts"

/** The major whose catalogue the generated file shows; older ones lack some of its types. */
const GENERATED_FROM = 180_000

const majorOf = async (): Promise<number> => {
  const { host, port, user, password, database } = inject("postgres")
  const client = new pg.Client({ host, port, user, password, database })
  await client.connect()
  try {
    const { rows } = await client.query<{ readonly number: number }>(
      "SELECT current_setting('server_version_num')::int AS number"
    )
    return rows[0]!.number
  } finally {
    await client.end()
  }
}

const typesOf = (file: string): ReadonlyArray<string> => file.match(/^ {2}\w+: \{ oid: .* \}/gm) ?? []

describe("oid.generated.ts", () => {
  const committed = readFileSync(new URL("../../src/codec/oid.generated.ts", import.meta.url), "utf8")

  it("is what its generator makes of the server's catalogue, or of a newer one's", async () => {
    const generated = await generateOids(inject("postgres"))
    if ((await majorOf()) >= GENERATED_FROM) assert.strictEqual(generated, committed)
    assert.isNotEmpty(typesOf(generated))
    assert.includeMembers([...typesOf(committed)], [...typesOf(generated)])
  })
})
