import { startEmbedded } from "./test/support/server/embedded.ts"
import pg from "pg"
import { execFileSync } from "node:child_process"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as PgReplication from "./src/PgReplication.ts"
import { settingsOf } from "./test/replication/source.ts"
const server = await startEmbedded({ settings: { wal_level: "logical" } })
const c = new pg.Client({
  host: server.host,
  port: server.port,
  user: server.user,
  password: server.password,
  database: server.database
})
await c.connect()
const q = async (sql: string) => {
  try {
    return (await c.query(sql)).rows
  } catch (e) {
    console.log("ERR", sql.slice(0, 60), String(e))
    return []
  }
}
await c.query(`CREATE TABLE t (id int PRIMARY KEY)`)
await q("CREATE PUBLICATION a FOR ALL TABLES")
await Effect.runPromise(Effect.scoped(PgReplication.createSlot(settingsOf(server), { slot: "a" })))
await q("SELECT pg_create_logical_replication_slot('b','pgoutput')")
await q(`INSERT INTO t VALUES (1)`)
await q(`CREATE DOMAIN small AS int CHECK (VALUE < 10)`)
await q(`ALTER TABLE t ADD COLUMN small small`)
await q(`INSERT INTO t VALUES (2, 7)`)
await new Promise((r) => setTimeout(r, 1500))
for (const slot of ["a", "b"]) {
  for (const binary of ["true", "false"])
    try {
      console.log(
        slot,
        binary,
        execFileSync(
          "sh",
          [
            "-c",
            `timeout 3 pg_recvlogical -h ${server.host} -p ${server.port} -U postgres -d postgres --slot=${slot} --start -n -F 0 -s 0 -o proto_version=1 -o publication_names=a -o binary=${binary} -f - | xxd | tail -20; true`
          ],
          {
            env: { ...process.env, PGPASSWORD: server.password },
            encoding: "utf8",
            stdio: ["ignore", "pipe", "inherit"]
          }
        )
      )
    } catch (e) {
      console.log(binary, String(e))
    }
  for (const messages of [false, true])
    console.log(
      slot,
      messages,
      await Effect.runPromise(
        PgReplication.stream({ connection: settingsOf(server), slot, publications: ["a"], messages }).pipe(
          Stream.take(2),
          Stream.mapEffect((t) => t.allChanges),
          Stream.runCollect
        )
      ).catch((e) => String(e))
    )
}
await c.end()
await server.stop()
