/** What a server can do to a stream without anything being lost: changes of tables, prepared transactions, shutdowns. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { assertHealthy, eventually } from "../support/live.ts"
import { isActive, published, Source, sourceServer, taken } from "./source.ts"

const TIMEOUT_MILLIS = 60_000

const told = (change: PgReplication.Change): unknown => {
  switch (change._tag) {
    case "Insert":
    case "Update":
      return [change._tag, change.relation.name, change.row]
    case "Delete":
      return [change._tag, change.relation.name, change.key]
    default:
      return change._tag
  }
}

const idsOf = (changes: ReadonlyArray<PgReplication.Change>) =>
  changes.map((change) => (change._tag === "Insert" ? change.row["id"] : change._tag))

const upTo = (count: number): ReadonlyArray<unknown> => Array.from({ length: count }, (_, index) => index + 1)

layer(Source.layer, { excludeTestServices: true })("a replication stream", (it) => {
  it.effect("reads each change by the columns that its table had then, also within one transaction", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY, a int, b text)")
      yield* pg.executeScript(`
        BEGIN;
        SET LOCAL search_path = ${name};
        INSERT INTO t VALUES (1, 1, 'x');
        ALTER TABLE t ADD COLUMN c int DEFAULT 7;
        INSERT INTO t VALUES (2, 2, 'y', 8);
        ALTER TABLE t DROP COLUMN a;
        UPDATE t SET c = 9 WHERE id = 1;
        ALTER TABLE t RENAME b TO bb;
        DELETE FROM t WHERE id = 2;
        ALTER TABLE t ALTER c TYPE bigint;
        INSERT INTO t VALUES (3, 'z', 10000000000);
        ALTER TABLE t RENAME TO u;
        INSERT INTO u VALUES (4, 'w', 1);
        SAVEPOINT s;
        CREATE TYPE mood AS ENUM ('sad');
        ALTER TABLE u ADD COLUMN mood mood;
        INSERT INTO u VALUES (5, 'w', 1, 'sad');
        ROLLBACK TO s;
        INSERT INTO u VALUES (6, 'w', 1);
        COMMIT`)
      yield* pg.execute(`DROP TABLE ${name}.u`)
      yield* pg.execute(`CREATE TABLE ${name}.t (id text PRIMARY KEY)`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES ('new')`)
      const transactions = yield* taken(PgReplication.stream(options), 2)
      assert.deepStrictEqual(
        transactions.map(({ changes }) => changes.map(told)),
        [
          [
            ["Insert", "t", { id: 1, a: 1, b: "x" }],
            ["Insert", "t", { id: 2, a: 2, b: "y", c: 8 }],
            ["Update", "t", { id: 1, b: "x", c: 9 }],
            ["Delete", "t", { id: 2 }],
            ["Insert", "t", { id: 3, bb: "z", c: 10_000_000_000n }],
            ["Insert", "u", { id: 4, bb: "w", c: 1n }],
            ["Insert", "u", { id: 6, bb: "w", c: 1n }]
          ],
          [["Insert", "t", { id: "new" }]]
        ]
      )
    })
  )

  it.effect("goes from process to process that waits for its slot, beside streams of other slots", () =>
    Effect.gen(function* () {
      const { name, options, pg, settings } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      // A set, because a transaction may come again if its reader ends between the work and the acknowledgement.
      const seen = new Map<string, Set<unknown>>()
      const read = (slot: string, waitForSlot = false) =>
        PgReplication.run({ ...options, slot, waitForSlot }, ({ allChanges }) =>
          Effect.map(allChanges, (changes) => seen.set(slot, new Set([...(seen.get(slot) ?? []), ...idsOf(changes)])))
        )
      const others = upTo(4).map((number) => `${name}_${String(number)}`)
      for (const slot of others) {
        yield* Effect.scoped(PgReplication.createSlot(settings, { slot }))
        yield* Effect.addFinalizer(() => Effect.ignore(PgReplication.dropSlot(settings, slot)))
        yield* Effect.forkScoped(read(slot))
      }
      const waiting = yield* Effect.forEach(upTo(3), () => Effect.forkScoped(read(name, true)))
      for (let id = 1; id <= 150; id++) {
        yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
        if (id === 50 || id === 100) yield* Fiber.interrupt(waiting[id / 50 - 1]!)
      }
      for (const slot of [name, ...others]) {
        yield* eventually(
          Effect.sync(() => seen.get(slot)?.size),
          150,
          15_000
        )
        assert.deepStrictEqual([...(seen.get(slot) ?? [])], upTo(150))
      }
      yield* assertHealthy(pg)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "brings prepared transactions when they are committed, also if the server has crashed in between",
    () =>
      Effect.gen(function* () {
        const { server, settings } = yield* sourceServer({ max_prepared_transactions: "4" })
        const seen: Array<unknown> = []
        const before = Effect.gen(function* () {
          const pg = yield* PgConnection.make(settings)
          yield* pg.executeScript("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES")
          yield* Effect.scoped(PgReplication.createSlot(settings, { slot: "s" }))
          for (const [name, sql] of [
            ["a", "INSERT INTO t VALUES (1)"],
            ["b", "INSERT INTO t VALUES (2)"],
            ["c", "CREATE DOMAIN d AS int; CREATE TABLE u (id d PRIMARY KEY); INSERT INTO u VALUES (3)"]
          ]) {
            yield* pg.executeScript(`BEGIN; ${sql}; PREPARE TRANSACTION '${name}'`)
          }
          yield* pg.execute("INSERT INTO t VALUES (4)")
          yield* pg.execute("ROLLBACK PREPARED 'b'")
        })
        yield* Effect.scoped(before)
        yield* PgReplication.run({ connection: settings, slot: "s", publications: ["p"] }, ({ allChanges }) =>
          Effect.map(allChanges, (changes) => seen.push(changes.map(told)))
        ).pipe(Effect.forkScoped)
        yield* eventually(
          Effect.sync(() => seen.length),
          1
        )
        yield* Effect.promise(() => server.shutDown("immediate"))
        yield* Effect.promise(() => server.startAgain())
        const pg = yield* PgConnection.make(settings)
        yield* pg.execute("COMMIT PREPARED 'a'")
        yield* pg.execute("COMMIT PREPARED 'c'")
        yield* eventually(
          Effect.sync(() => seen.length),
          3,
          15_000
        )
        assert.deepStrictEqual(seen, [
          [["Insert", "t", { id: 4 }]],
          [["Insert", "t", { id: 1 }]],
          [["Insert", "u", { id: 3 }]]
        ])
      }).pipe(Effect.scoped),
    TIMEOUT_MILLIS
  )

  for (const mode of ["fast", "immediate"] as const) {
    it.effect(
      `lets the server shut down (${mode}) in the middle of a large transaction, and goes on with it then`,
      () =>
        Effect.gen(function* () {
          const { server, settings } = yield* sourceServer()
          const before = Effect.gen(function* () {
            const pg = yield* PgConnection.make(settings)
            yield* pg.executeScript("CREATE TABLE t (id int PRIMARY KEY, f text); CREATE PUBLICATION p FOR TABLE t")
            yield* Effect.scoped(PgReplication.createSlot(settings, { slot: "s" }))
            yield* pg.execute("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 40000) AS i")
          })
          yield* Effect.scoped(before)
          const seen: Array<unknown> = []
          let down: Promise<void> | undefined
          const options = { connection: settings, slot: "s", publications: ["p"], bufferBytes: 10_000 }
          yield* PgReplication.run(options, ({ changes }) =>
            Stream.runForEachArray(changes, (some) =>
              Effect.suspend(() => {
                seen.push(...idsOf(some))
                if (seen.length > 5_000) down ??= server.shutDown(mode)
                return Effect.sleep(5)
              })
            )
          ).pipe(Effect.forkScoped)
          yield* eventually(
            Effect.sync(() => down !== undefined),
            true,
            15_000
          )
          yield* Effect.timeout(
            Effect.promise(() => down ?? Promise.resolve()),
            "20 seconds"
          )
          yield* Effect.promise(() => server.startAgain())
          const pg = yield* PgConnection.make(settings)
          yield* pg.execute("INSERT INTO t VALUES (40001)")
          yield* eventually(
            Effect.sync(() => seen.length),
            40_001,
            15_000
          )
          assert.deepStrictEqual(seen, upTo(40_001))
          assert.isTrue(yield* isActive(pg, "s"))
        }).pipe(Effect.scoped),
      TIMEOUT_MILLIS
    )
  }
})
