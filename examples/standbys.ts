/**
 * Reads from standbys, and sees there what was written before. With one server, such as that of the tests, the primary
 * reads.
 */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { PgClient } from "../src/index.ts"

// #region layer
// The URL names all servers: postgres://app@db1,db2,db3/app
const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL"), reads: { maxConnections: 20 } })
// #endregion layer

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL);
    INSERT INTO books VALUES (1, 'Ema'), (2, 'Persuasion')
  `)

  // #region after
  yield* pg.execute("UPDATE books SET title = $1 WHERE id = $2", ["Emma", 1])
  const after = yield* pg.currentLsn
  // A standby answers, once it has the change.
  const books = yield* pg.readOnly(pg.fetch("SELECT title FROM books ORDER BY id"), { after })
  // #endregion after
  yield* Console.log(books)

  // #region report
  // A report that may be a moment old, from one point of time.
  const report = Effect.all([
    pg.fetchValue("SELECT count(*)::int FROM books"),
    pg.fetchValue("SELECT pg_is_in_recovery()")
  ])
  const [count, isStandby] = yield* pg.readOnly(
    pg.withTransaction(report, { access: "read only", isolation: "repeatable read" })
  )
  // #endregion report
  yield* Console.log(count, isStandby)
})

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
