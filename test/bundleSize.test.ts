/** Tests how much of effectpg a program loads when it starts, in a bundle and without one. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { bundled, bytesOf, modulesOf } from "./support/bundle.ts"

const KILOBYTE = 1000

/** One client and one query. */
const PROGRAM = `
import * as Effect from "effect/Effect"
import * as PgClient from "effectpg/PgClient"
const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  return yield* pg.fetch("SELECT 1 + 1 AS two")
})
Effect.runPromise(Effect.provide(program, PgClient.layer({ url: "postgres://localhost/app" })))
`

const withoutEffect = { external: [/^effect(\/|$)/] }

describe("a bundled program with one client and one query", () => {
  it("starts with nothing of effectpg but the service and its layer", async () => {
    const { start } = await bundled(PROGRAM, withoutEffect)
    assert.deepStrictEqual(modulesOf(start), ["PgClient.ts", "call/firstUse.ts"])
    assert.isAtMost(bytesOf(start), 2 * KILOBYTE)
  })

  it("loads what opens a client later, without what it does not ask for", async () => {
    const { chunks } = await bundled(PROGRAM, withoutEffect)
    const pool = chunks.filter(({ moduleIds }) => moduleIds.some((id) => id.endsWith("sessionPool.ts")))
    assert.isAtMost(bytesOf(pool), 420 * KILOBYTE)
    const unasked = /^(reads\/(reads|standby|reading)|sqlClient\/|migrator\/|kysely|codec\/optional\/|effect|PgTypes)/
    assert.deepStrictEqual(
      modulesOf(pool).filter((module) => unasked.test(module)),
      []
    )
    assert.includeMembers([...modulesOf(pool)], ["reads/client.ts", "session/engine/session.ts", "pg-protocol"])
  })

  it("has all of effectpg that it may need in at most three files", async () => {
    const { chunks } = await bundled(PROGRAM, withoutEffect)
    assert.isAtMost(chunks.length, 3)
    const standbys = chunks.filter(({ moduleIds }) => moduleIds.some((id) => id.endsWith("readsRouter.ts")))
    assert.isAtMost(bytesOf(standbys), 9 * KILOBYTE)
  })
})

interface Loaded {
  readonly effectpg: ReadonlyArray<string>
  readonly effect: number
}

/** What Node loads for the import of a module of effectpg, in a process of its own. */
const loadedBy = async (module: string): Promise<Loaded> => {
  const src = new URL("../src/", import.meta.url)
  const program = `
    import { registerHooks } from "node:module"
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    await import(${JSON.stringify(new URL(module, src).href)})
    console.log(JSON.stringify(loaded))`
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: fileURLToPath(src)
  })
  const urls: ReadonlyArray<string> = JSON.parse(stdout)
  return {
    effectpg: urls.filter((url) => url.startsWith(src.href)).map((url) => url.slice(src.href.length)),
    effect: urls.filter((url) => url.includes("/node_modules/effect/")).length
  }
}

/** What an open connection needs. */
const engine =
  /^(session\/(engine|opening|exchange|request|transaction)|connection\/(?!listening\/listenStatement)|pool)\//

describe("the import", () => {
  it.each(["PgClient.ts", "PgPool.ts", "PgConnection.ts"])(
    "of %s loads one file beside it, and little of Effect",
    async (module) => {
      const { effect, effectpg } = await loadedBy(module)
      assert.deepStrictEqual(effectpg, [module, "call/firstUse.ts"])
      // Those of `effect/Effect` and `effect/Layer`.
      assert.isAtMost(effect, 70)
    }
  )

  it.each([
    ["PgSqlClient.ts", 40],
    ["index.ts", 150]
  ])("of %s loads at most %i files, and none that only a connection needs", async (module, most) => {
    const { effectpg } = await loadedBy(module)
    assert.isAtMost(effectpg.length, most)
    assert.deepStrictEqual(
      effectpg.filter((file) => engine.test(file)),
      []
    )
    assert.include(effectpg, "PgClient.ts")
  })
})
