/**
 * A search with conditions that depend on the user's input. Statements are built from parts; values never become text.
 */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Schema } from "effect"
import { PgClient, PgTypes } from "../src/index.ts"
import { sql } from "../src/PgSql.ts"

class Room extends Schema.Class<Room>("Room")({
  name: Schema.NonEmptyString,
  beds: Schema.Int,
  free: PgTypes.Range(Schema.String)
}) {}

interface Wishes {
  readonly beds?: number
  readonly names?: ReadonlyArray<string>
  readonly orderBy?: "name" | "beds"
}

const search = Effect.fn("search")(function* ({ beds, names, orderBy = "name" }: Wishes) {
  const pg = yield* PgClient.PgClient
  const conditions = [
    sql`NOT isempty(free)`,
    beds === undefined ? sql`true` : sql`beds >= ${beds}`,
    names === undefined ? sql`true` : sql`name ${sql.in(names)}`
  ]
  const statement = sql`
    SELECT name, beds, free FROM rooms
    WHERE ${sql.join(conditions, sql` AND `)}
    ORDER BY ${sql.id(orderBy)}
  `
  return yield* pg.fetch(statement, { row: Room })
})

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE rooms (name text, beds int4, free daterange)")
  const rooms = [
    ["Attic", 1, "[2026-03-01,2026-03-08)"],
    ["Garden", 2, "[2026-03-01,)"],
    ["O'Hara's", 3, "empty"]
  ]
  yield* pg.execute(sql`INSERT INTO rooms (name, beds, free) ${sql.values(rooms)}`)

  const list = (found: ReadonlyArray<Room>) => Console.log(found.map(({ name, free }) => `${name} ${free}`).join(", "))
  yield* list(yield* search({ orderBy: "beds" }))
  yield* list(yield* search({ beds: 2, names: ["Garden", "O'Hara's"] }))

  // A row that the schema rejects is an ordinary error.
  const misread = pg.fetch(sql`SELECT name, beds::text AS beds, free FROM rooms`, { row: Room })
  yield* Effect.catchTag(misread, "DecodeError", ({ message }) => Console.log(message))

  // Of all the programs that share the database, only one does this at a time; the others wait for it.
  const RENOVATION = 7301
  yield* pg.withAdvisoryLock(
    RENOVATION,
    pg.execute(sql`UPDATE rooms SET ${sql.update({ beds: 2, free: "[2026-04-01,)" })} WHERE name = ${"O'Hara's"}`)
  )
  yield* list(yield* search({}))
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
