import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as PgError from "../../src/PgError.ts"
import * as PgReplication from "../../src/PgReplication.ts"
import { assertHealthy, eventually, liveSettings, refusalOf, valueOf } from "../support/live.ts"
import { TestDatabase } from "../support/database.ts"
import { isActive, published, Source, taken } from "./source.ts"

const begun = (options: PgReplication.StreamOptions): Effect.Effect<PgError.PgError> =>
  refusalOf(Effect.scoped(PgReplication.make(options)))

const setup = (error: PgError.PgError): PgError.ReplicationSetupError => {
  if ("problem" in error) return error
  throw error
}

layer(Source.layer, { excludeTestServices: true })("the start of a replication stream", (it) => {
  it.effect("prints the CREATE PUBLICATION that is missing", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`DROP PUBLICATION ${name}`)
      const error = setup(yield* begun(options))
      assert.strictEqual(error._tag, "ReplicationSetupError")
      assert.strictEqual(error.problem, "publication")
      assert.strictEqual(error.hint, `Run: CREATE PUBLICATION "${name}" FOR ALL TABLES;`)
      const tables = { [`${name}.t`]: Schema.Struct({ id: Schema.Int }) }
      const narrow = setup(yield* refusalOf(Effect.scoped(PgReplication.make({ ...options, tables }))))
      assert.strictEqual(narrow.hint, `Run: CREATE PUBLICATION "${name}" FOR TABLE "${name}"."t";`)
      yield* pg.executeScript(narrow.hint.replace("Run: ", ""))
      yield* Effect.scoped(PgReplication.make({ ...options, tables }))
    })
  )

  it.effect("names a table that no publication has, and tables whose rows nothing identifies", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(
        "CREATE TABLE $.t (id int PRIMARY KEY); CREATE TABLE $.log (line text)",
        { publication: "FOR TABLE $.log" }
      )
      const tables = { [`${name}.t`]: Schema.Struct({ id: Schema.Int }) }
      const unpublished = setup(yield* refusalOf(Effect.scoped(PgReplication.make({ ...options, tables }))))
      assert.strictEqual(unpublished.problem, "table")
      assert.strictEqual(unpublished.hint, `Run: ALTER PUBLICATION "${name}" ADD TABLE "${name}"."t";`)
      yield* pg.executeScript(unpublished.hint.replace("Run: ", ""))
      yield* Effect.scoped(PgReplication.make({ ...options, tables }))
      const anonymous = setup(yield* begun(options))
      assert.strictEqual(anonymous.problem, "replicaIdentity")
      assert.include(anonymous.message, `${name}.log`)
      assert.include(anonymous.hint, `ALTER TABLE "${name}"."log" REPLICA IDENTITY FULL;`)
      yield* Effect.scoped(PgReplication.make({ ...options, requireReplicaIdentity: false }))
      yield* pg.execute(`ALTER TABLE ${name}.log REPLICA IDENTITY FULL`)
      yield* Effect.scoped(PgReplication.make(options))
    })
  )

  it.effect("says how to make a slot that is missing, or is of another kind", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)", { slot: false })
      const missing = setup(yield* begun(options))
      assert.strictEqual(missing.problem, "slot")
      assert.include(missing.hint, `pg_create_logical_replication_slot('${name}', 'pgoutput')`)
      yield* pg.fetch("SELECT pg_create_physical_replication_slot($1)", [name])
      const physical = setup(yield* begun(options))
      assert.include(physical.message, "is for physical replication")
      yield* pg.fetch("SELECT pg_drop_replication_slot($1)", [name])
      yield* pg.fetch("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [name])
      yield* Effect.scoped(PgReplication.make(options))
      yield* PgReplication.dropSlot(options.connection, name)
      const gone = yield* refusalOf(PgReplication.dropSlot(options.connection, name))
      assert.strictEqual(gone._tag, "UndefinedObjectError")
      yield* assertHealthy(pg)
    })
  )

  it.effect("refuses a slot that has a reader, or waits for it if told to", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      yield* Effect.gen(function* () {
        yield* PgReplication.make(options)
        assert.strictEqual((yield* begun(options))._tag, "ObjectInUseError")
        yield* Effect.sleep(500)
      }).pipe(
        Effect.scoped,
        Effect.zipWith(
          Effect.andThen(
            eventually(isActive(pg, name), true),
            taken(PgReplication.stream({ ...options, waitForSlot: true }), 1)
          ),
          (_, [first]) => assert.strictEqual(first?.changes.length, 1),
          { concurrent: true }
        )
      )
    })
  )

  it.effect("refuses options that are wrong, and says what would be right", () =>
    Effect.gen(function* () {
      const connection = (yield* Source).settings
      const good = { connection, slot: "s", publications: ["p"] }
      const wrong: ReadonlyArray<readonly [object, string]> = [
        [{ ...good, slot: "Users" }, "slot: must be the name of a slot"],
        [{ ...good, publications: [] }, "publications: must be the names"],
        [{ ...good, after: "later" }, "after: must be a position in the log"],
        [{ ...good, tables: { t: 1 } }, "tables: must be an object of Schemas"],
        [{ ...good, bufferBytes: 0 }, "bufferBytes: must be a whole number"],
        [{ ...good, statusIntervall: 1 }, "did you mean statusInterval"],
        [{ ...good, connection: undefined }, "connection: must be the settings of a connection"],
        [{ ...good, connection: { hots: "a" } }, "hots"]
      ]
      for (const [options, reason] of wrong) {
        const error = yield* begun(Object.assign({ ...good }, options))
        assert.strictEqual(error._tag, "InvalidConfigError")
        assert.include(error.message, reason)
      }
    })
  )

  it.effect("makes a temporary slot, which ends with the stream", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)", { slot: false })
      yield* Effect.gen(function* () {
        const { transactions } = yield* PgReplication.make({ ...options, temporary: true })
        yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
        const [first] = yield* taken(transactions, 1)
        assert.strictEqual(first?.changes.length, 1)
        const [slot] = (yield* PgReplication.slots(pg)).filter(({ slot }) => slot === name)
        assert.deepInclude(slot, { temporary: true, active: true, plugin: "pgoutput" })
        yield* pg.execute("SELECT pg_terminate_backend($1)", [slot?.processId])
        const lost = yield* refusalOf(Stream.runDrain(transactions))
        assert.strictEqual("loss" in lost ? lost.loss : undefined, "missing")
      }).pipe(Effect.scoped)
      yield* eventually(
        Effect.map(PgReplication.slots(pg), (slots) => slots.some(({ slot }) => slot === name)),
        false
      )
    })
  )

  it.effect("refuses to begin after a position that the server has not reached, because it is of another history", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      const position = yield* valueOf(pg, "SELECT (pg_current_wal_lsn() + 1000000)::text")
      const error = yield* begun({ ...options, after: String(position) })
      assert.strictEqual("loss" in error ? error.loss : undefined, "diverged")
      assert.include(error.message, `before ${String(position)}, after which the stream was to begin`)
      const [first] = yield* taken(PgReplication.stream(options), 1)
      assert.strictEqual(first?.changes.length, 1)
      yield* Effect.scoped(PgReplication.make({ ...options, after: first?.endLsn }))
    })
  )

  it.effect("explains that the publication has to be older than the slot", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`DROP PUBLICATION ${name}`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      yield* pg.execute(`CREATE PUBLICATION ${name} FOR TABLE ${name}.t`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (2)`)
      const result = yield* Effect.result(taken(PgReplication.stream(options), 1))
      // PostgreSQL 18 passes over a publication that was not there yet.
      if (result._tag === "Failure") assert.strictEqual(setup(result.failure).problem, "publication")
      else assert.strictEqual(result.success[0]?.changes.length, 1)
    })
  )
})

layer(TestDatabase.layer, { excludeTestServices: true })("on a server without logical replication", (it) => {
  it.effect("the stream says how to turn it on", () =>
    Effect.gen(function* () {
      const connection = yield* liveSettings()
      const error = setup(yield* begun({ connection, slot: "s", publications: ["p"] }))
      assert.strictEqual(error.problem, "walLevel")
      assert.include(error.hint, "ALTER SYSTEM SET wal_level = 'logical'")
      const creation = yield* refusalOf(Effect.scoped(PgReplication.createSlot(connection, { slot: "s" })))
      assert.strictEqual(setup(creation).problem, "walLevel")
    })
  )
})
