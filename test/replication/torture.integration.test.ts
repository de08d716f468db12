/**
 * Copies of tables, made of nothing but the changes, while everything that can go wrong does: the processes that send the
 * log are killed at random, the server is shut down and crashes, readers are interrupted and begin again. At the end the
 * copies equal the tables, row by row.
 *
 * EFFECTPG_TORTURE_CHANGES=200000 and EFFECTPG_TORTURE_KILLS=30 make it as long as one likes.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import * as PgPool from "../../src/PgPool.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { TestDatabase } from "../support/database.ts"
import { liveSettings } from "../support/live.ts"
import { sourceServer, type SourceServer } from "./source.ts"

const LAST_ID = 2_000_000_000
const CHANGES = Number(process.env["EFFECTPG_TORTURE_CHANGES"] ?? 20_000)
const KILLS = Number(process.env["EFFECTPG_TORTURE_KILLS"] ?? 8)
const TIMEOUT_MILLIS = 280_000

const TABLES = ["a", "f"] as const

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('sad', 'happy');
  CREATE TYPE pair AS (x int, y text);
  CREATE TABLE a (id int PRIMARY KEY, n int, mood mood, pairs pair[], price numeric, large text);
  ALTER TABLE a ALTER large SET STORAGE EXTERNAL;
  CREATE TABLE f (id int PRIMARY KEY, n int, mood mood, pairs pair[], price numeric, large text);
  ALTER TABLE f ALTER large SET STORAGE EXTERNAL;
  ALTER TABLE f REPLICA IDENTITY FULL;
  CREATE PUBLICATION p FOR TABLE a, f;
`

const random = (limit: number): number => Math.floor(Math.random() * limit)

/** One transaction of the source: SQL without parameters. */
const mixed = (next: { id: number }, round: number): string => {
  const table = TABLES[random(2)] ?? "a"
  const count = 1 + random(120)
  const from = next.id
  next.id += count
  const insert = `INSERT INTO ${table} (id, n, mood, pairs, price, large)
    SELECT i, i % 7, (ARRAY['sad', 'happy']::mood[])[1 + i % 2], ARRAY[ROW(i, 'y')]::pair[], i / 3.0,
      CASE WHEN i % 5 = 0 THEN repeat(md5(i::text), 100) END
    FROM generate_series(${from}, ${from + count - 1}) AS i`
  const some = `id % 17 = ${random(17)} AND id > ${from - 1_500}`
  const parts = [
    insert,
    `UPDATE ${table} SET n = n + 1 WHERE ${some}`,
    `UPDATE ${table} SET id = -id WHERE ${some} AND id > 0`,
    `DELETE FROM ${table} WHERE ${some}`,
    `SAVEPOINT s; ${insert.replace(`${from}, ${from + count - 1}`, `${-from - 1e9}, ${-from - 1e9 + 5}`)}; ROLLBACK TO s`,
    `UPDATE ${table} SET large = NULL, mood = NULL WHERE ${some}`,
    `DELETE FROM ${table} WHERE id < ${from - 3_000}`
  ]
  const chosen = parts.filter((_, index) => index === 0 || random(3) === 0)
  if (round % 97 === 0) chosen.push("TRUNCATE f")
  const end = random(10) === 0 ? "ROLLBACK" : "COMMIT"
  return `BEGIN; ${chosen.join("; ")}; ${end}`
}

/** Changes of the schema, one after the other. */
const ddl = (round: number): string | undefined => {
  if (round % 40 === 15) return `ALTER TABLE a ADD COLUMN extra_${round} int`
  if (round % 40 === 35) return `ALTER TABLE a DROP COLUMN extra_${round - 20}`
  // A reader may come to the values of this type when it is gone.
  const kind = `kind_${round - (round % 40)}`
  if (round % 40 === 5) {
    const added = `ALTER TABLE f ADD COLUMN ${kind} ${kind}; ALTER TABLE f ALTER ${kind} SET DEFAULT 'x'`
    return `CREATE TYPE ${kind} AS ENUM ('x'); ${added}`
  }
  if (round % 40 === 10) return `ALTER TABLE f DROP COLUMN ${kind}; DROP TYPE ${kind}`
  return undefined
}

interface Progress {
  changes: number
  /** Whether everything has gone wrong that shall. */
  lossesAreOver: boolean
}

/** Writes until there are so many changes and the losses are over, whatever becomes of the server. */
const write = (source: SourceServer, progress: Progress): Effect.Effect<void> =>
  Effect.gen(function* () {
    const next = { id: 1 }
    let round = 0
    const session = Effect.scoped(
      Effect.gen(function* () {
        const pg = yield* PgConnection.make(source.settings)
        while (progress.changes < CHANGES || !progress.lossesAreOver) {
          round++
          const change = ddl(round)
          if (change !== undefined) yield* Effect.ignore(pg.executeScript(change))
          const results = yield* pg.executeScript(mixed(next, round))
          if (results.at(-1)?.command === "COMMIT") {
            progress.changes += results.reduce(
              (sum, { command, rowCount }) => sum + (/^(INSERT|UPDATE|DELETE)/.test(command) ? rowCount : 0),
              0
            )
          }
        }
        // Each table has a row in the end, even if it has just been truncated.
        const rows = TABLES.map((table) => `INSERT INTO ${table} (id) VALUES (${LAST_ID}) ON CONFLICT DO NOTHING`)
        yield* pg.executeScript(
          `SET synchronous_commit = on; ${rows.join("; ")}; SELECT pg_logical_emit_message(true, 'end', '')`
        )
      })
    )
    yield* Effect.retry(session, { while: () => Effect.as(Effect.sleep(100), true) }).pipe(Effect.orDie)
  })

type Copied = Readonly<Record<string, unknown>>

const idOf = (row: Copied): number => Number(row["id"])
const nameOf = (table: string): string => table.replace("public.", "")
const json = (row: unknown): string =>
  JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))

/** A copy in memory. */
class Copy {
  readonly tables = new Map<string, Map<number, Copied>>(TABLES.map((table) => [table, new Map()]))

  apply(change: PgReplication.Change): void {
    switch (change._tag) {
      case "Insert": {
        const rows = this.rowsOf(change.table)
        assert.isFalse(rows.has(idOf(change.row)), "an inserted row was there already")
        rows.set(idOf(change.row), change.row)
        return
      }
      case "Update": {
        const rows = this.rowsOf(change.table)
        const before = rows.get(idOf(change.key))
        assert.isDefined(before, "an updated row was not there")
        rows.delete(idOf(change.key))
        rows.set(idOf(change.row), { ...before, ...change.row })
        return
      }
      case "Delete":
        assert.isTrue(this.rowsOf(change.table).delete(idOf(change.key)), "a deleted row was not there")
        return
      case "Truncate":
        for (const table of change.tables) this.rowsOf(table).clear()
        return
      case "Message":
        return
    }
  }

  rowsOf(table: string): Map<number, Copied> {
    return this.tables.get(nameOf(table)) ?? new Map()
  }
}

/** The statement that repeats a change in the copy in a database. */
const statementOf = (change: PgReplication.Change): ReadonlyArray<PgConnection.BatchStatement> => {
  switch (change._tag) {
    case "Insert":
      return [
        {
          sql: "INSERT INTO copy (name, id, row) VALUES ($1, $2, $3::text::jsonb)",
          params: [nameOf(change.table), idOf(change.row), json(change.row)]
        }
      ]
    case "Update":
      return [
        {
          sql: "UPDATE copy SET id = $3, row = row || $4::text::jsonb WHERE name = $1 AND id = $2",
          params: [nameOf(change.table), idOf(change.key), idOf(change.row), json(change.row)]
        }
      ]
    case "Delete":
      return [{ sql: "DELETE FROM copy WHERE name = $1 AND id = $2", params: [nameOf(change.table), idOf(change.key)] }]
    case "Truncate":
      return change.tables.map((table) => ({ sql: "DELETE FROM copy WHERE name = $1", params: [nameOf(table)] }))
    case "Message":
      return []
  }
}

const isEnd = (change: PgReplication.Change): boolean => change._tag === "Message" && change.prefix === "end"

layer(TestDatabase.layer, { excludeTestServices: true })("copies of tables that change", (it) => {
  it.effect(
    "equal the tables, although processes are killed, the server goes down twice and readers begin again",
    () =>
      Effect.gen(function* () {
        const source = yield* sourceServer({ wal_sender_timeout: "2s" })
        const { server, settings } = source
        yield* Effect.scoped(Effect.flatMap(PgConnection.make(settings), (pg) => pg.executeScript(SCHEMA)))
        for (const slot of ["memory", "once"]) yield* Effect.scoped(PgReplication.createSlot(settings, { slot }))
        const optionsOf = (slot: string) => ({ connection: settings, slot, publications: ["p"] })

        const memory = new Copy()
        const commits = new Set<string>()
        let repeated = 0
        const inMemory = PgReplication.stream(optionsOf("memory")).pipe(
          Stream.mapEffect((transaction) =>
            Effect.gen(function* () {
              if (commits.has(transaction.commitLsn)) repeated++
              commits.add(transaction.commitLsn)
              const changes = yield* transaction.allChanges
              for (const change of changes) memory.apply(change)
              yield* transaction.acknowledge
              return changes.some(isEnd)
            })
          ),
          Stream.takeUntil((isOver) => isOver),
          Stream.runDrain
        )

        const target = yield* Effect.flatMap(liveSettings({ maxConnections: 4 }), PgPool.make)
        yield* target.executeScript(`CREATE TABLE copy (name text, id int, row jsonb NOT NULL, PRIMARY KEY (name, id));
          CREATE TABLE handled (lsn text PRIMARY KEY)`)
        const state = { isOver: false, kills: 0 }
        let deliveries = 0
        const once = PgReplication.exactlyOnce(
          target,
          { reader: "torture" },
          (transaction: PgReplication.Transaction) =>
            Effect.gen(function* () {
              yield* target.execute("INSERT INTO handled VALUES ($1)", [transaction.commitLsn])
              const changes = yield* transaction.allChanges
              const statements = changes.flatMap(statementOf)
              for (let at = 0; at < statements.length; at += 500) yield* target.batch(statements.slice(at, at + 500))
              if (changes.some(isEnd)) state.isOver = true
            })
        )
        let runs = 0
        const inDatabase = Effect.gen(function* () {
          while (!state.isOver) {
            runs++
            // The last transaction of each run is not acknowledged, and comes again in the next one. A run ends at once with
            // it, because a server that shuts down waits for what is not acknowledged.
            const run = PgReplication.stream({ ...optionsOf("once"), waitForSlot: true }).pipe(
              Stream.mapEffect((transaction) =>
                Effect.gen(function* () {
                  yield* once(transaction)
                  deliveries++
                  if (random(40) === 0) return true
                  yield* transaction.acknowledge
                  return state.isOver
                })
              ),
              Stream.takeUntil((isLast) => isLast),
              Stream.runDrain,
              Effect.raceFirst(until(() => state.isOver))
            )
            yield* Effect.catch(run, (error: PgError.PgError) =>
              error._tag === "ConnectError" ||
              error._tag === "ConnectionLostError" ||
              /Shutdown|CannotConnect/.test(error._tag)
                ? Effect.sleep(100)
                : Effect.die(error)
            )
          }
        })

        const readers = yield* Effect.forkScoped(Effect.all([inMemory, inDatabase], { concurrency: 2, discard: true }))
        const progress: Progress = { changes: 0, lossesAreOver: false }
        const writer = yield* Effect.forkScoped(write(source, progress))
        const kill = Effect.scoped(
          Effect.gen(function* () {
            const pg = yield* PgConnection.make(settings)
            const killed = yield* pg.fetch(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE backend_type = 'walsender' ORDER BY random() LIMIT 1`)
            state.kills += killed.length
          })
        )
        const losses = Effect.gen(function* () {
          const downs = ["fast", "immediate"] as const
          for (const mode of [...downs, undefined]) {
            const enough = state.kills + KILLS / 3
            while (state.kills < enough) {
              // The losses are spread over the whole time.
              const due = (state.kills / KILLS) * CHANGES
              yield* until(() => progress.changes >= due)
              yield* Effect.sleep(50 + random(400))
              yield* Effect.ignore(kill)
            }
            if (mode === undefined) continue
            yield* Effect.promise(() => server.shutDown(mode))
            yield* Effect.promise(() => server.startAgain())
          }
        })
        // If the writer or a reader fails, nobody waits for changes that will not come.
        const failure = Effect.andThen(
          Effect.all([Fiber.join(writer), Fiber.join(readers)], { concurrency: 2 }),
          Effect.never
        )
        yield* Effect.raceFirst(losses, failure)
        progress.lossesAreOver = true
        yield* Fiber.join(writer)
        yield* Fiber.join(readers)
        const { changes } = progress

        assert.strictEqual(repeated, 0)
        assert.isAtLeast(state.kills, KILLS)
        assert.isAtLeast(changes, CHANGES)
        const pg = yield* PgConnection.make(settings)
        for (const table of TABLES) {
          const rows = yield* pg.fetch(`SELECT * FROM ${table} ORDER BY id`)
          const names = (yield* pg.fetchTuples(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
            [table]
          )).map(([name]) => String(name))
          const shown = (row: Copied): string => json(names.map((name) => row[name] ?? null))
          const expected = rows.map(shown)
          const kept = [...memory.rowsOf(table).values()].sort((a, b) => idOf(a) - idOf(b)).map(shown)
          assert.deepStrictEqual(kept, expected, `the copy of ${table} in memory`)
          const stored = yield* target.fetch("SELECT row FROM copy WHERE name = $1 ORDER BY id", [table])
          const copied = stored.map(({ row }) => shown(Object(row)))
          assert.deepStrictEqual(copied, expected, `the copy of ${table} in a database`)
          assert.isAbove(expected.length, 0)
        }
        const [handled] = yield* target.fetchTuples("SELECT count(*)::int FROM handled")
        yield* Effect.logInfo(
          `${changes} changes, ${state.kills} kills, 2 restarts, ${runs} runs, ${commits.size} transactions; ` +
            `exactly once: ${String(handled?.[0])} handled of ${deliveries} deliveries`
        )
      }).pipe(Effect.scoped),
    TIMEOUT_MILLIS
  )
})

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep(20), until(holds))))
