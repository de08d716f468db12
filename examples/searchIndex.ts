/**
 * Keeps a search index up to date from a table: first a copy of all rows, then every change. The index is always what the
 * table was a moment ago, whoever changes the table and however.
 */
import "./support/logicalDatabase.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Schema, Stream } from "effect"
import { PgClient } from "../src/index.ts"
import * as PgReplication from "../src/PgReplication.ts"

const Article = Schema.Struct({ id: Schema.Int, title: Schema.String })

/** The words of the titles, with the articles that have them. */
class Index {
  private readonly words = new Map<string, Set<number>>()

  add({ id, title }: typeof Article.Type): void {
    for (const word of title.toLowerCase().split(" ")) {
      this.words.set(word, (this.words.get(word) ?? new Set()).add(id))
    }
  }

  remove(id: unknown): void {
    for (const articles of this.words.values()) articles.delete(Number(id))
  }

  clear(): void {
    this.words.clear()
  }

  find(word: string): ReadonlyArray<number> {
    return [...(this.words.get(word) ?? [])]
  }
}

const program = Effect.gen(function* () {
  const url = yield* Config.Redacted("DATABASE_URL")
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE articles (id int PRIMARY KEY, title text NOT NULL);
    INSERT INTO articles VALUES (1, 'Effect for beginners'), (2, 'Streams and queues');
    CREATE PUBLICATION search FOR TABLE articles;
  `)

  const index = new Index()
  const apply = (change: PgReplication.Change<{ readonly "public.articles": typeof Article }>): void => {
    switch (change._tag) {
      case "Insert":
        return index.add(change.row)
      case "Update":
        index.remove(change.key["id"])
        return index.add(change.row)
      case "Delete":
        return index.remove(change.key["id"])
      case "Truncate":
        return index.clear()
      case "Message":
        return
    }
  }

  // #region snapshot
  let transactions = 0
  yield* PgReplication.snapshotThenStream({
    connection: { url },
    slot: "search",
    publications: ["search"],
    tables: { "public.articles": Article }
  }).pipe(
    Stream.mapEffect((event) =>
      Effect.gen(function* () {
        switch (event._tag) {
          case "SnapshotBegun":
            index.clear()
            break
          case "SnapshotRows":
            for (const row of event.rows) index.add(row)
            break
          case "SnapshotEnded":
            yield* Console.log(`copied; "streams" is in ${index.find("streams").join(", ")}`)
            yield* pg.execute("INSERT INTO articles VALUES (3, 'Streams of changes')")
            yield* pg.execute("UPDATE articles SET title = 'Effect for experts' WHERE id = 1")
            yield* pg.execute("DELETE FROM articles WHERE id = 2")
            break
          case "Transaction":
            yield* Stream.runForEach(event.changes, (change) => Effect.sync(() => apply(change)))
            yield* event.acknowledge
            transactions++
        }
      })
    ),
    Stream.takeUntil(() => transactions === 3),
    Stream.runDrain
  )
  // #endregion snapshot
  for (const word of ["streams", "beginners", "experts"]) {
    yield* Console.log(`"${word}" is in ${index.find(word).join(", ") || "nothing"}`)
  }

  for (const { lagBytes, slot } of yield* PgReplication.slots(pg)) {
    yield* Console.log(`${slot} is behind: ${lagBytes === undefined || lagBytes > 1_000_000n}`)
  }
  yield* PgReplication.dropSlot({ url }, "search")
  yield* pg.executeScript("DROP PUBLICATION search; DROP TABLE articles")
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
