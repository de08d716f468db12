/** Compares the storages of both event log servers: the one that reads its entries, and the one that cannot. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EventJournal from "effect/eventlog/EventJournal"
import type * as EventLogEncryption from "effect/eventlog/EventLogEncryption"
import * as EventLogMessage from "effect/eventlog/EventLogMessage"
import * as EventLogServerEncrypted from "effect/eventlog/EventLogServerEncrypted"
import * as SqlEventLogServerEncrypted from "effect/eventlog/SqlEventLogServerEncrypted"
import * as SqlEventLogServerUnencrypted from "effect/eventlog/SqlEventLogServerUnencrypted"
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { parity } from "./support/participants.ts"

const immediately = { startImmediately: true } as const
const PAYLOAD = Uint8Array.from({ length: 256 }, (_, n) => n)
const KEY = "public key"

const storeOf = (name: string) => EventLogMessage.StoreId.make(name)

/** Fails if it does not end in time. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.timeoutOrElse(effect, { duration: "10 seconds", orElse: () => Effect.die(new Error("it does not end")) })

const entry = (primaryKey: string, event = "Changed") =>
  new EventJournal.Entry({ id: EventJournal.makeEntryIdUnsafe(), event, primaryKey, payload: PAYLOAD })

const batch = (length: number): EventLogEncryption.EncryptedBatch => {
  const [first, ...rest] = Array.from({ length }, () => EventJournal.makeEntryIdUnsafe())
  if (first === undefined) throw new Error("a batch has entries")
  return { entryIds: [first, ...rest], iv: PAYLOAD.slice(0, 12), encryptedBatch: PAYLOAD }
}

parity("SqlEventLogServerUnencrypted", (it) => {
  const makeStorage = SqlEventLogServerUnencrypted.makeStorage({
    entryTablePrefix: "plain_events",
    remoteIdTable: "plain_id"
  })

  it.effect("the id of the remote is made once, also by several programs at once", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* makeStorage
      yield* sql`DELETE FROM plain_id`
      const storages = yield* Effect.all([makeStorage, makeStorage, makeStorage, makeStorage], { concurrency: 4 })
      const ids = yield* Effect.forEach(storages, ({ getId }) => getId)
      assert.strictEqual(new Set(ids.map((id) => Array.from(id).join())).size, 1)
      assert.strictEqual(ids[0]?.length, 16)
    })
  )

  it.effect("the signing key of a client is kept from its first session on", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const first = Uint8Array.from({ length: 32 }, (_, n) => n)
      const second = new Uint8Array(32)
      assert.deepStrictEqual(Uint8Array.from(yield* storage.getOrCreateSessionAuthBinding("client", first)), first)
      assert.deepStrictEqual(Uint8Array.from(yield* storage.getOrCreateSessionAuthBinding("client", second)), first)
    })
  )

  it.effect("entries get sequences without gaps, and are kept once", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const store = storeOf("sequences")
      const entries = Array.from({ length: 450 }, (_, n) => entry(`key ${n}`))
      const written = yield* storage.write(store, entries)
      const first = written[0]?.remoteSequence ?? -1
      assert.deepStrictEqual(
        written.map(({ remoteSequence }) => remoteSequence),
        entries.map((_, n) => first + n)
      )
      assert.deepStrictEqual(Uint8Array.from(written[7]?.entry.payload ?? []), PAYLOAD)
      assert.strictEqual((yield* storage.entriesAfter(store, entries[0] ?? entry("none"))).length, 450)
    })
  )

  it.effect("many programs write to one store at once: no sequence twice, no entry lost", () =>
    Effect.gen(function* () {
      const storages = yield* Effect.forEach([1, 2, 3], () => makeStorage)
      const store = storeOf("at once")
      const entries = Array.from({ length: 60 }, (_, n) => entry(`key ${n}`))
      const written = yield* inTime(
        Effect.forEach(
          entries,
          (each, n) => {
            const storage = storages[n % 3]
            return storage === undefined ? Effect.succeed([]) : storage.withTransaction(storage.write(store, [each]))
          },
          { concurrency: "unbounded" }
        )
      )
      const sequences = written.flat().map(({ remoteSequence }) => remoteSequence)
      assert.strictEqual(new Set(sequences).size, 60)
      assert.strictEqual(Math.max(...sequences) - Math.min(...sequences), 59)
    })
  )

  it.effect("changes has what is there and what comes after, once it is committed", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const store = storeOf("changes")
      yield* storage.write(store, [entry("first")])
      const keys = yield* Effect.forkChild(
        storage.changes({ storeId: store, startSequence: 0, compactors: new Map() }).pipe(
          Stream.map((change) => change.entry.primaryKey),
          Stream.take(3),
          Stream.runCollect
        ),
        immediately
      )
      yield* Effect.sleep("50 millis")
      yield* Effect.ignore(
        storage.withTransaction(Effect.andThen(storage.write(store, [entry("lost")]), Effect.fail("no")))
      )
      yield* storage.withTransaction(storage.write(store, [entry("second")]))
      yield* storage.write(store, [entry("third")])
      assert.deepStrictEqual(yield* inTime(Fiber.join(keys)), ["first", "second", "third"])
    })
  )
})

parity("SqlEventLogServerEncrypted", (it) => {
  const layer = SqlEventLogServerEncrypted.layerStorageSubtle({
    entryTablePrefix: "sealed_events",
    remoteIdTable: "sealed_id",
    compaction: { lag: 0, thresholdFloor: 0, stageTtl: "1 minute", grace: "1 hour" }
  })
  const makeStorage = Effect.map(Layer.build(layer), (context) => Context.get(context, EventLogServerEncrypted.Storage))

  it.effect("the id of the remote is made once, and is that of the next program too", () =>
    Effect.gen(function* () {
      const storages = yield* Effect.all([makeStorage, makeStorage, makeStorage])
      const ids = yield* Effect.forEach(storages, ({ getId }) => getId)
      assert.strictEqual(new Set(ids.map((id) => Array.from(id).join())).size, 1)
    })
  )

  it.effect("a batch owns as many sequences as it has entries, and is kept once", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const store = storeOf("batches")
      const batches = [batch(3), batch(1), batch(200)]
      const written = yield* storage.write(KEY, store, batches)
      const first = written[0]?.sequence ?? -1
      assert.deepStrictEqual(
        written.map(({ sequence }) => sequence),
        [first, first + 3, first + 4]
      )
      assert.deepStrictEqual(yield* storage.write(KEY, store, batches), [])
      const ids = batches.flatMap(({ entryIds }) => entryIds)
      const acks = yield* storage.entrySequences(KEY, store, ids)
      assert.deepStrictEqual(
        acks.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
        ids.map((_, n) => first + n)
      )
    })
  )

  it.effect("a batch is read byte for byte", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const store = storeOf("bytes")
      const [written] = yield* storage.write(KEY, store, [batch(2)])
      const [read] = yield* inTime(Stream.runCollect(Stream.take(storage.changes(KEY, store, 0), 1)))
      assert.deepStrictEqual(Uint8Array.from(read?.encryptedBatch ?? []), PAYLOAD)
      assert.deepStrictEqual(Uint8Array.from(read?.iv ?? []), PAYLOAD.slice(0, 12))
      assert.deepStrictEqual(
        read?.entryIds.map((id) => Array.from(id)),
        written?.entryIds.map((id) => Array.from(id))
      )
    })
  )

  it.effect("stores and clients are apart", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const sequences = yield* Effect.forEach(
        [
          [KEY, "apart one"],
          [KEY, "apart two"],
          ["another key", "apart one"]
        ] as const,
        ([key, store]) => Effect.map(storage.write(key, storeOf(store), [batch(1)]), ([written]) => written?.sequence)
      )
      assert.strictEqual(new Set(sequences).size, 1)
    })
  )

  it.effect("many programs write to one store at once: no sequence twice", () =>
    Effect.gen(function* () {
      const storages = yield* Effect.forEach([1, 2, 3], () => makeStorage)
      const store = storeOf("at once")
      const written = yield* inTime(
        Effect.forEach(
          Array.from({ length: 30 }, (_, n) => n),
          (n) => {
            const storage = storages[n % 3]
            return storage === undefined ? Effect.succeed([]) : storage.write(KEY, store, [batch(2)])
          },
          { concurrency: 8 }
        )
      )
      const sequences = written
        .flat()
        .map(({ sequence }) => sequence)
        .toSorted((a, b) => a - b)
      assert.deepStrictEqual(
        sequences,
        sequences.map((_, n) => (sequences[0] ?? 0) + 2 * n)
      )
    })
  )

  it.effect("what a transaction has written reaches readers after its COMMIT, and not if it is rolled back", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const storage = yield* makeStorage
      const store = storeOf("live")
      const [lost, kept, later] = [batch(1), batch(1), batch(1)]
      const reader = yield* Effect.forkChild(
        Stream.runCollect(Stream.take(storage.changes(KEY, store, 0), 2)),
        immediately
      )
      yield* Effect.sleep("50 millis")
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(storage.write(KEY, store, [lost]), Effect.fail("no"))))
      yield* sql.withTransaction(Effect.andThen(storage.write(KEY, store, [kept]), Effect.sleep("30 millis")))
      yield* storage.write(KEY, store, [later])
      const read = yield* inTime(Fiber.join(reader))
      assert.deepStrictEqual(
        read.map(({ entryIds }) => Array.from(entryIds[0])),
        [kept, later].map(({ entryIds }) => Array.from(entryIds[0]))
      )
    })
  )

  it.effect("a compaction replaces batches by a snapshot, and can be taken back", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage
      const { compaction } = storage
      if (compaction === undefined) throw new Error("the storage can be compacted")
      const store = storeOf("compacted")
      const written = yield* storage.write(KEY, store, [batch(2), batch(2)])
      const { head } = yield* compaction.status(KEY, store)
      const last = written[1]
      assert.strictEqual(head, (last?.sequence ?? 0) + 1)
      const begun = yield* compaction.begin(KEY, store, { through: head })
      if (begun._tag !== "Started" || last === undefined) throw new Error("nobody else compacts")
      assert.strictEqual((yield* compaction.begin(KEY, store, { through: head }))._tag, "Busy")
      const headers = yield* Stream.runCollect(compaction.inputHeaders(KEY, store, begun.stageId))
      assert.deepStrictEqual(
        headers.map(({ sequence }) => sequence),
        written.map(({ sequence }) => sequence)
      )
      const fetched = yield* Stream.runCollect(compaction.fetch(KEY, store, begun.stageId, [last.sequence]))
      assert.deepStrictEqual(Uint8Array.from(fetched[0]?.encryptedBatch ?? []), PAYLOAD)
      const snapshot = { entryIds: last.entryIds, iv: last.iv, encryptedBatch: last.encryptedBatch }
      assert.strictEqual(yield* compaction.stagePart(KEY, store, begun.stageId, 0, [snapshot]), "Stored")
      assert.strictEqual(yield* compaction.stagePart(KEY, store, begun.stageId, 0, [snapshot]), "AlreadyStored")
      assert.strictEqual(yield* compaction.commit(KEY, store, begun.stageId, [head - 1]), "Committed")
      const again = yield* Effect.flip(compaction.commit(KEY, store, begun.stageId, [head - 1]))
      assert.strictEqual(again._tag, "CompactionNotFound")
      const history = yield* compaction.history(KEY, store)
      const active = history.find((activation) => activation.active)
      assert.containsSubset(active, { base: head, keptCount: 2 })
      yield* compaction.rollback(KEY, store, active?.activationId ?? "")
      assert.strictEqual((yield* compaction.history(KEY, store)).filter((activation) => activation.active).length, 1)
    })
  )
})
