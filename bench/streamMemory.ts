/**
 * Shows how much memory a stream of 10,000,000 rows needs if its reader is slower than the server: `node
 * bench/streamMemory.ts [rows]` prints the resident memory while the stream runs, and at the end the rows.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as PgConnection from "../src/PgConnection.ts"
import { start } from "../test/support/postgres.ts"

const ROWS = Number(process.argv[2] ?? 10_000_000)
const REPORTS = 20
/** The reader sleeps once for this many pages, which makes it slower than the server, but not by much. */
const PAGES_PER_PAUSE = 100
const PAUSE_MILLIS = 5
const MEBIBYTE = 1_048_576

const memoryMebibytes = (): number => Math.round(process.memoryUsage.rss() / MEBIBYTE)

const read = (connection: PgConnection.PgConnection) =>
  Effect.gen(function* () {
    let count = 0
    let pages = 0
    let sum = 0n
    const figures: Array<number> = []
    const rows = connection.stream("SELECT i, 'row number ' || i AS label FROM generate_series(1, $1::int8) AS i", [
      ROWS
    ])
    yield* Stream.runForEachArray(rows, (page) => {
      for (const { i } of page) if (typeof i === "bigint") sum += i
      count += page.length
      if (count >= ((figures.length + 1) * ROWS) / REPORTS) figures.push(memoryMebibytes())
      return ++pages % PAGES_PER_PAUSE === 0 ? Effect.sleep(PAUSE_MILLIS) : Effect.void
    })
    const isWhole = sum === (BigInt(ROWS) * BigInt(ROWS + 1)) / 2n
    yield* Console.log(`${count} rows, ${isWhole ? "each of them once" : "AND NOT THE RIGHT ONES"}`)
    yield* Console.log(`resident memory in MiB, at every ${100 / REPORTS} %: ${figures.join(" ")}`)
  })

const { host, port, user, password, database, stop } = await start()
const settings = { host, port, user, database, password: Redacted.make(password), sslMode: "disable" } as const
await Effect.runPromise(Effect.scoped(Effect.flatMap(PgConnection.make(settings), read)))
await stop()
