import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as PgReplication from "../../src/PgReplication.ts"
import { assertHealthy, eventually, valueOf } from "../support/live.ts"
import { published, Source, sourceConnection, taken } from "./source.ts"

const handler = () => Effect.void
const promises = () => Promise.resolve()

layer(Source.layer, { excludeTestServices: true })("PgReplication.exactlyOnce", (it) => {
  it.effect("leaves out what it has done, also if it was never acknowledged", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(
        "CREATE TABLE $.t (id int PRIMARY KEY); CREATE TABLE public.$_copy (id int)",
        { publication: "FOR TABLE $.t" }
      )
      const position = { reader: name, table: `${name}.positions` }
      const target = yield* sourceConnection
      assert.isTrue(Option.isNone(yield* PgReplication.storedPosition(target, position)))
      for (const id of [1, 2, 3]) yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
      let fails = true
      const copy = PgReplication.exactlyOnce(target, position, (transaction) =>
        Stream.runForEach(transaction.changes, (change) => {
          if (change._tag !== "Insert") return Effect.void
          const { id } = change.row
          const insert = target.execute(`INSERT INTO public.${name}_copy VALUES ($1)`, [id])
          return id === 3 && fails ? Effect.andThen(insert, Effect.fail("rolled back")) : insert
        })
      )
      const withoutAcknowledging = (count: number) =>
        PgReplication.stream(options).pipe(Stream.take(count), Stream.runForEach(copy))
      assert.strictEqual(yield* Effect.flip(withoutAcknowledging(3)), "rolled back")
      fails = false
      yield* withoutAcknowledging(3)
      const copied = target.fetchTuples(`SELECT id FROM public.${name}_copy ORDER BY id`)
      assert.deepStrictEqual(yield* copied, [[1], [2], [3]])
      yield* withoutAcknowledging(2)
      assert.deepStrictEqual(yield* copied, [[1], [2], [3]])
      const after = Option.getOrThrow(yield* PgReplication.storedPosition(target, position))
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (4)`)
      yield* PgReplication.stream({ ...options, after }).pipe(Stream.take(1), Stream.runForEach(copy))
      assert.deepStrictEqual(yield* copied, [[1], [2], [3], [4]])
      yield* pg.execute(`DROP TABLE public.${name}_copy`)
    }).pipe(Effect.scoped)
  )

  it.effect("lets one of two readers with the same name do the work", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      const target = yield* sourceConnection
      const other = yield* sourceConnection
      const handled: Array<string> = []
      const position = { reader: name, table: `${name}.positions` }
      yield* PgReplication.storedPosition(target, position)
      const { transactions } = yield* PgReplication.make({ ...options, messages: false })
      const [transaction] = yield* Stream.runCollect(Stream.take(transactions, 1))
      assert.isDefined(transaction)
      const work = (queryable: typeof target) =>
        PgReplication.exactlyOnce(queryable, position, () =>
          Effect.andThen(
            Effect.sleep(50),
            Effect.sync(() => handled.push("done"))
          )
        )(transaction!)
      yield* Effect.all([work(target), work(other)], { concurrency: 2 })
      assert.deepStrictEqual(handled, ["done"])
      yield* eventually(valueOf(pg, `SELECT count(*)::int FROM ${name}.positions`), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses arguments that are wrong, and a handler that returns no Effect, as run does", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      const target = yield* sourceConnection
      const position = { reader: name, table: `${name}.positions` }
      const [transaction] = yield* taken(PgReplication.stream(options), 1)
      assert.isDefined(transaction)
      const refused = (given: ReadonlyArray<unknown>) => {
        const handled: Effect.Effect<void, unknown> = Reflect.apply(
          PgReplication.exactlyOnce,
          undefined,
          given
        )(transaction)
        return Effect.flip(handled)
      }
      const wrong: ReadonlyArray<readonly [ReadonlyArray<unknown>, string]> = [
        [[{}, position, handler], "target: must be"],
        [[target, { reader: 1 }, handler], "reader: must be a string"],
        [[target, position, "handle"], "handler: must be a function"],
        [[target, position, promises], "handler: must return an Effect"]
      ]
      for (const [given, reason] of wrong) assert.include(String(yield* refused(given)), reason)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (2)`)
      for (const [handle, reason] of [
        ["handle", "handler: must be a function"],
        [promises, "handler: must return an Effect"]
      ] as const) {
        const run: Effect.Effect<void, unknown> = Reflect.apply(PgReplication.run, undefined, [options, handle])
        assert.include(String(yield* Effect.flip(run)), reason)
      }
      yield* assertHealthy(target)
    }).pipe(Effect.scoped)
  )
})
