import { startEmbedded } from "./test/support/server/embedded.ts"
import pg from "pg"
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
await c.query(`CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('sad', 'happy');
        CREATE TYPE s.point3 AS (x int, y int, mood s.mood);
        CREATE TABLE s.t (id int PRIMARY KEY, mood s.mood, moods s.mood[], at s.point3, n numeric, j jsonb, r int4range)`)
await q("CREATE PUBLICATION a FOR ALL TABLES")
await Effect.runPromise(Effect.scoped(PgReplication.createSlot(settingsOf(server), { slot: "a" })))
await q(`INSERT INTO s.t VALUES (1, 'sad', '{happy,sad}', '(1,2,happy)', 1.50, '{"a": 1}', '[1,5)')`)
for (const ddl of [
  `CREATE DOMAIN s.small AS int CHECK (VALUE < 10)`,
  `ALTER TABLE s.t ADD COLUMN small s.small`,
  `ALTER TABLE s.t DROP COLUMN r`,
  `ALTER TABLE s.t DROP COLUMN at`,
  `ALTER TYPE s.point3 ADD ATTRIBUTE z int`,
  `ALTER TABLE s.t ADD COLUMN at s.point3`
]) {
  await q(ddl)
}
await q(`INSERT INTO s.t VALUES (2, 'happy', '{}', 2, 'null', 7, '(1,2,sad,3)')`)
await new Promise((r) => setTimeout(r, 1500))
console.log(await q("select oid, typname from pg_type where oid > 16383 order by 1"))
console.log(
  await Effect.runPromise(
    PgReplication.stream({ connection: settingsOf(server), slot: "a", publications: ["a"] }).pipe(
      Stream.take(2),
      Stream.mapEffect((t) => t.allChanges),
      Stream.runCollect
    )
  ).catch((e) => String(e))
)
await c.end()
await server.stop()
