import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { inject } from "vitest"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { eventually, refusalOf, valueOf } from "../support/live.ts"
import { isActive, published, Source, sourceConnection } from "./source.ts"

const FAILOVER_SLOTS_SINCE = 17

layer(Source.layer, { excludeTestServices: true })("the snapshot of a slot", (it) => {
  it.effect("shows what was there when the slot was made, and nothing later", () =>
    Effect.gen(function* () {
      const { name, pg, settings } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)", { slot: false })
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      const { snapshot } = yield* PgReplication.createSlot(settings, { slot: name })
      yield* Effect.addFinalizer(() => Effect.ignore(PgReplication.dropSlot(settings, name)))
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (2)`)
      const other = yield* PgConnection.make(settings)
      const rows = yield* PgReplication.withSnapshot(other, snapshot, other.fetchTuples(`SELECT id FROM ${name}.t`))
      assert.deepStrictEqual(rows, [[1]])
      assert.strictEqual(yield* valueOf(other, `SELECT count(*)::int FROM ${name}.t`), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("and the changes behind it make a copy without a row missing or doubled, while rows are written", () =>
    Effect.gen(function* () {
      const { name, options, pg, settings } = yield* published(
        "CREATE TABLE $.t (id int PRIMARY KEY, n int); CREATE TABLE $.u (id int PRIMARY KEY)",
        { slot: false }
      )
      yield* Effect.addFinalizer(() => Effect.ignore(PgReplication.dropSlot(settings, name)))
      yield* pg.execute(`INSERT INTO ${name}.t SELECT i, 0 FROM generate_series(1, 5000) AS i`)
      yield* pg.execute(`INSERT INTO ${name}.u VALUES (1)`)
      const writer = yield* sourceConnection
      const state = { isWriting: true, writes: 0 }
      const writing = yield* Effect.gen(function* () {
        while (state.isWriting) {
          state.writes++
          const id = 5_000 + state.writes
          yield* writer.batch([
            { sql: `INSERT INTO ${name}.t VALUES ($1, 0)`, params: [id] },
            { sql: `UPDATE ${name}.t SET n = n + 1 WHERE id = $1`, params: [1 + (state.writes % 5_000)] },
            { sql: `DELETE FROM ${name}.t WHERE id = $1`, params: [id - 20] }
          ])
        }
        yield* writer.execute("SELECT pg_logical_emit_message(true, 'end', '')")
      }).pipe(Effect.forkScoped)
      const copy = new Map<unknown, unknown>()
      const tags: Array<string> = []
      let isOver = false
      const insert = (row: PgConnection.Row): void => {
        assert.isFalse(copy.has(row["id"]), `row ${String(row["id"])} came twice`)
        copy.set(row["id"], row["n"])
      }
      yield* PgReplication.snapshotThenStream(options).pipe(
        Stream.tap((event) =>
          Effect.gen(function* () {
            if (tags.at(-1) !== event._tag) tags.push(event._tag)
            if (event._tag === "SnapshotRows" && event.table === `${name}.t`) event.rows.forEach(insert)
            if (event._tag !== "Transaction") return
            if (copy.size > 5_200) state.isWriting = false
            for (const change of yield* event.allChanges) {
              if (change._tag === "Message") isOver = true
              if (change._tag === "Insert") insert(change.row)
              if (change._tag === "Update") copy.set(change.row["id"], change.row["n"])
              if (change._tag === "Delete") assert.isTrue(copy.delete(change.key["id"]))
            }
            if (state.writes > 300) state.isWriting = false
            yield* event.acknowledge
          })
        ),
        Stream.takeUntil(() => isOver),
        Stream.runDrain
      )
      yield* Fiber.join(writing)
      assert.deepStrictEqual(tags.slice(0, 4), ["SnapshotBegun", "SnapshotRows", "SnapshotEnded", "Transaction"])
      const rows = yield* pg.fetchTuples(`SELECT id, n FROM ${name}.t ORDER BY id`)
      assert.deepStrictEqual(
        [...copy].sort(([a], [b]) => Number(a) - Number(b)),
        rows
      )
      // The slot is there, so the next run goes on without a copy.
      yield* pg.execute(`INSERT INTO ${name}.u VALUES (2)`)
      const [next] = yield* Stream.runCollect(Stream.take(PgReplication.snapshotThenStream(options), 1))
      assert.strictEqual(next?._tag, "Transaction")
    }).pipe(Effect.scoped)
  )

  it.effect("ends in a failover slot, also if the slot was made as another one", () =>
    Effect.gen(function* () {
      if (inject("serverMajor") < FAILOVER_SLOTS_SINCE) return
      const { name, options, pg, settings } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      const failover = valueOf(pg, "SELECT failover FROM pg_replication_slots WHERE slot_name = $1", [name])
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      assert.isFalse(yield* failover)
      const first = Stream.runCollect(
        Stream.take(PgReplication.snapshotThenStream({ ...options, failover: true, waitForSlot: true }), 1)
      )
      const reader = yield* Effect.forkScoped(Stream.runDrain(PgReplication.stream(options)))
      yield* eventually(isActive(pg, name), true)
      const refused = yield* refusalOf(
        Stream.runDrain(PgReplication.snapshotThenStream({ ...options, failover: true }))
      )
      assert.strictEqual(refused._tag, "ObjectInUseError")
      const waiting = yield* Effect.forkScoped(first)
      yield* Effect.sleep(300)
      yield* Fiber.interrupt(reader)
      assert.strictEqual((yield* Fiber.join(waiting))[0]?._tag, "Transaction")
      assert.isTrue(yield* failover)
      yield* PgReplication.dropSlot(settings, name)
      assert.strictEqual((yield* first)[0]?._tag, "SnapshotBegun")
      yield* PgReplication.snapshotThenStream({ ...options, failover: true }).pipe(
        Stream.takeUntil(({ _tag }) => _tag === "SnapshotEnded"),
        Stream.runDrain
      )
      assert.isTrue(yield* failover)
    }).pipe(Effect.scoped)
  )

  it.effect("is made anew if the copy was not taken to its end, and leaves no slot behind", () =>
    Effect.gen(function* () {
      const { name, options, pg, settings } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)", { slot: false })
      yield* Effect.addFinalizer(() => Effect.ignore(PgReplication.dropSlot(settings, name)))
      yield* pg.execute(`INSERT INTO ${name}.t SELECT generate_series(1, 20000)`)
      const first = yield* Stream.runCollect(Stream.take(PgReplication.snapshotThenStream(options), 2))
      assert.deepStrictEqual(
        first.map(({ _tag }) => _tag),
        ["SnapshotBegun", "SnapshotRows"]
      )
      const slots = Effect.map(PgReplication.slots(pg), (all) => all.filter(({ slot }) => slot.startsWith(name)).length)
      yield* eventually(slots, 0)
      const row = Schema.Struct({ id: Schema.Int })
      const tables = { [`${name}.t`]: row }
      const ids: Array<number> = []
      yield* PgReplication.snapshotThenStream({ ...options, tables }).pipe(
        Stream.takeUntil(({ _tag }) => _tag === "SnapshotEnded"),
        Stream.runForEach((event) =>
          Effect.sync(() => {
            if (event._tag === "SnapshotRows") ids.push(...event.rows.map(({ id }) => id))
          })
        )
      )
      assert.strictEqual(new Set(ids).size, 20_000)
      assert.strictEqual(ids.length, 20_000)
      yield* eventually(slots, 1)
      const long = yield* refusalOf(
        Stream.runDrain(PgReplication.snapshotThenStream({ ...options, slot: "x".repeat(60) }))
      )
      assert.strictEqual(long._tag, "InvalidConfigError")
    }).pipe(Effect.scoped)
  )
})
