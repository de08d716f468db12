/** Types that the reader does not find in the database: they were dropped, or nobody else can see them yet. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { assertHealthy, eventually, refusalOf } from "../support/live.ts"
import { isActive, published, Source, sourceServer, taken } from "./source.ts"

const rowsOf = (changes: ReadonlyArray<PgReplication.Change>) =>
  changes.map((change) => (change._tag === "Insert" ? change.row : change._tag))

layer(Source.layer, { excludeTestServices: true })("a replication stream", (it) => {
  it.effect("reads values of types that were dropped since, as texts, and all others as ever", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
        CREATE TYPE $.mood AS ENUM ('sad', 'happy');
        CREATE DOMAIN $.small AS int;
        CREATE TYPE $.pair AS (x int, y text);
        CREATE TABLE $.t (id int PRIMARY KEY, mood $.mood, moods $.mood[], small $.small, pair $.pair,
          at timestamptz, born date, json jsonb, bytes bytea, price numeric, ratio float4, many int[], long interval,
          range tstzrange, yes bool, uuid uuid, path public.ltree)
      `)
      const values = `'happy', '{sad,happy}', 5, '(1,two)', '2020-01-02 03:04:05.678901+00', '1815-12-10', '{"a": 1}',
        '\\x00ff', 1.50, 0.1, '{1,2,NULL}', '1 year 2 days -04:05', '[2020-01-01,)', true,
        '01234567-89ab-cdef-0123-456789abcdef', 'a.b'`
      for (const id of [1, 2]) yield* pg.execute(`INSERT INTO ${name}.t VALUES (${id}, ${values})`)
      const before = yield* pg.fetchOne(`SELECT * FROM ${name}.t WHERE id = 1`)
      yield* pg.executeScript(`
        ALTER TABLE ${name}.t DROP COLUMN mood, DROP COLUMN moods, DROP COLUMN small, DROP COLUMN pair;
        DROP TYPE ${name}.mood; DROP DOMAIN ${name}.small; DROP TYPE ${name}.pair;
        INSERT INTO ${name}.t (id, ratio) VALUES (3, 0.2)
      `)
      // The texts are read in the styles that the client knows, whatever the program has chosen.
      const styles = {
        datestyle: "German",
        IntervalStyle: "iso_8601",
        bytea_output: "escape",
        extra_float_digits: "-9"
      }
      const connection = { ...options.connection, settings: styles }
      const rows = (yield* taken(PgReplication.stream({ ...options, connection }), 3)).flatMap(({ changes }) =>
        rowsOf(changes)
      )
      const texts = { mood: "happy", moods: "{sad,happy}", small: "5", pair: "(1,two)" }
      assert.deepStrictEqual(
        rows.slice(0, 2),
        [1, 2].map((id) => ({ ...before, ...texts, id }))
      )
      assert.include(rows[2], { id: 3, ratio: Math.fround(0.2), at: null })
    })
  )

  it.effect("goes on with texts in the middle of a large transaction, of which nothing is missing or comes twice", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TYPE $.mood AS ENUM ('sad', 'happy');
        CREATE TABLE $.t (id int PRIMARY KEY, mood $.mood)
      `)
      yield* pg.execute(
        `INSERT INTO ${name}.t SELECT i, CASE WHEN i >= 4000 THEN 'sad'::${name}.mood END FROM generate_series(1, 5000) AS i`
      )
      yield* pg.executeScript(`ALTER TABLE ${name}.t ALTER mood TYPE text; DROP TYPE ${name}.mood`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (0, 'neither')`)
      const seen: Array<unknown> = []
      yield* PgReplication.stream(options).pipe(
        // The rewriting of the table is no change of its rows.
        Stream.take(2),
        Stream.runForEach(({ acknowledge, changes }) =>
          Effect.andThen(
            Stream.runForEachArray(changes, (some) => Effect.sync(() => seen.push(...rowsOf(some)))),
            acknowledge
          )
        )
      )
      assert.deepStrictEqual(seen, [
        ...Array.from({ length: 5_000 }, (_, index) => ({ id: index + 1, mood: index + 1 >= 4_000 ? "sad" : null })),
        { id: 0, mood: "neither" }
      ])
    })
  )

  it.effect("says which column it cannot read if its slot is temporary, and brings the other transactions", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(
        `
        CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
        CREATE TYPE $.mood AS ENUM ('sad', 'happy');
        CREATE TABLE $.t (id int PRIMARY KEY, path public.ltree, mood $.mood);
      `,
        { slot: false }
      )
      const { transactions } = yield* PgReplication.make({ ...options, temporary: true })
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1, 'a.b', NULL)`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (2, 'a.b', 'sad')`)
      yield* pg.executeScript(`ALTER TABLE ${name}.t DROP COLUMN mood; DROP TYPE ${name}.mood`)
      const [first] = yield* taken(transactions, 1)
      assert.deepStrictEqual(rowsOf(first?.changes ?? []), [{ id: 1, path: "a.b", mood: null }])
      const error = yield* refusalOf(taken(transactions, 1))
      assert.strictEqual(error._tag, "DecodeError")
      assert.match(error.message, new RegExp(`column "${name}.t.mood" as type \\d+`))
      assert.include(error.message, "use a slot that is not temporary")
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect("says how to go on without a change that it cannot read", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TYPE $.pair AS (x int, y text);
        CREATE TABLE $.t (id int PRIMARY KEY, pair $.pair)
      `)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1, '(1,two)')`)
      yield* pg.execute(`ALTER TYPE ${name}.pair ADD ATTRIBUTE z int`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (2, '(1,two,3)')`)
      const error = yield* refusalOf(taken(PgReplication.stream(options), 1))
      assert.strictEqual(error._tag, "DecodeError")
      const after = /after: "(.*)"/.exec(String("hint" in error ? error.hint : ""))?.[1]
      const [next] = yield* taken(PgReplication.stream({ ...options, after }), 1)
      assert.deepStrictEqual(rowsOf(next?.changes ?? []), [{ id: 2, pair: { x: 1, y: "two", z: 3 } }])
    })
  )

  it.effect("waits for a type whose transaction is committed, but not yet visible, and reads its values", () =>
    Effect.gen(function* () {
      const { settings } = yield* sourceServer()
      const pg = yield* PgConnection.make(settings)
      yield* pg.executeScript("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t")
      yield* Effect.scoped(PgReplication.createSlot(settings, { slot: "s" }))
      // Until the standby that is missing confirms a transaction, nobody sees it; but its changes are sent.
      yield* pg.executeScript("SET synchronous_commit = local")
      yield* pg.execute("ALTER SYSTEM SET synchronous_standby_names = 'missing'")
      yield* pg.execute("SELECT pg_reload_conf()")
      const reading = yield* PgReplication.stream({ connection: settings, slot: "s", publications: ["p"] }).pipe(
        Stream.take(1),
        Stream.mapEffect(({ allChanges }) => allChanges),
        Stream.runCollect,
        Effect.forkScoped
      )
      yield* eventually(isActive(pg, "s"), true)
      const writer = yield* PgConnection.make(settings)
      const writing = yield* writer
        .executeScript(
          `BEGIN; SET LOCAL synchronous_commit = on; CREATE DOMAIN small AS int; ALTER TABLE t ADD COLUMN n small;
          INSERT INTO t VALUES (1, 5); COMMIT`
        )
        .pipe(Effect.forkScoped)
      yield* Effect.sleep(1_500)
      assert.isUndefined(reading.pollUnsafe())
      assert.isUndefined(writing.pollUnsafe())
      yield* pg.execute("ALTER SYSTEM RESET synchronous_standby_names")
      yield* pg.execute("SELECT pg_reload_conf()")
      yield* Fiber.join(writing)
      assert.deepStrictEqual(rowsOf((yield* Fiber.join(reading)).flat()), [{ id: 1, n: 5 }])
    }).pipe(Effect.scoped)
  )
})
