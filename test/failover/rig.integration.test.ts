/** Tests the cluster on which the failover tests stand: what it says of its servers is so. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Servers } from "./rig/cluster.ts"

const TEST_TIMEOUT_MILLIS = 60_000

layer(Servers.layer, { excludeTestServices: true })("a cluster", (it) => {
  it.effect(
    "has a primary after a switchover and after a crash, keeps what was written, and takes servers back",
    () =>
      Effect.gen(function* () {
        const servers = yield* Servers
        yield* Effect.promise(async () => {
          const [first] = servers.nodes
          assert.strictEqual(await servers.primary(), first)
          await first.query("CREATE TABLE kept (id int PRIMARY KEY)")
          await first.query("INSERT INTO kept VALUES (1)")
          const { primary: second } = await servers.switchOver()
          await servers.untilStreaming()
          assert.strictEqual(await servers.primary(), second)
          await second.query("INSERT INTO kept VALUES (2)")
          const { primary: third } = await servers.failOver()
          assert.notStrictEqual(third, second)
          await third.query("INSERT INTO kept VALUES (3)")
          assert.strictEqual(await servers.primary(), third)
          await servers.rejoin(second)
          await servers.untilStreaming()
          await servers.untilReplayed()
          for (const node of servers.nodes) {
            assert.deepStrictEqual(await node.query("SELECT id FROM kept ORDER BY id"), [
              { id: 1 },
              { id: 2 },
              { id: 3 }
            ])
          }
          await first.freeze()
          const answered = first.query("SELECT 1").then(() => "answered")
          const silent = new Promise((resolve) => setTimeout(resolve, 300, "silent"))
          assert.strictEqual(await Promise.race([answered, silent]), "silent")
          await first.thaw()
          assert.strictEqual(await answered, "answered")
        })
      }),
    TEST_TIMEOUT_MILLIS
  )
})
