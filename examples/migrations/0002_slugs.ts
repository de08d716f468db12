/** An Effect can do what SQL cannot. It runs in a transaction, as SQL files do that do not say otherwise. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE albums ADD COLUMN slug text`
  for (const { id, title } of yield* sql<{ id: number; title: string }>`SELECT id, title FROM albums`) {
    yield* sql`UPDATE albums SET slug = ${title.toLowerCase().replaceAll(" ", "-")} WHERE id = ${id}`
  }
})
