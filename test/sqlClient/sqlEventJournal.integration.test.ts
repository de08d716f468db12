/** Compares the event journal in tables: local writes, imports from remotes, conflicts, uploads, and several writers. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as EventJournal from "effect/eventlog/EventJournal"
import * as EventLogMessage from "effect/eventlog/EventLogMessage"
import * as SqlEventJournal from "effect/eventlog/SqlEventJournal"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as SqlClient from "effect/sql/SqlClient"
import * as String from "effect/String"
import { clientOf, parity } from "./support/participants.ts"

const PAYLOAD = Uint8Array.from({ length: 256 }, (_, n) => n)

let journals = 0

/** A journal in tables of its own. */
const makeJournal = (entryTable = `journal_${++journals}`) =>
  SqlEventJournal.make({ entryTable, remotesTable: `${entryTable}_remotes` })

const write = (journal: EventJournal.EventJournal["Service"], primaryKey: string, event = "Changed") =>
  journal.write({ event, primaryKey, payload: PAYLOAD, effect: Effect.succeed })

const remoteEntry = (remoteSequence: number, primaryKey: string, msecs: number) =>
  new EventJournal.RemoteEntry({
    remoteSequence,
    entry: new EventJournal.Entry({
      id: EventJournal.makeEntryIdUnsafe({ msecs }),
      event: "Changed",
      primaryKey,
      payload: PAYLOAD
    })
  })

const keysOf = (entries: ReadonlyArray<EventJournal.Entry>) => entries.map(({ primaryKey }) => primaryKey)

parity("SqlEventJournal", (it, participant) => {
  it.effect("entries are read as they were written, byte for byte, in the order of their ids", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const written = yield* Effect.forEach(["a", "b", "naïve 🐘"], (key) => write(journal, key))
      const entries = yield* journal.entries
      assert.deepStrictEqual(
        entries.map(({ idString }) => idString),
        written.map(({ idString }) => idString)
      )
      for (const entry of entries) assert.deepStrictEqual(Uint8Array.from(entry.payload), PAYLOAD)
      assert.deepStrictEqual(keysOf(entries), ["a", "b", "naïve 🐘"])
    })
  )

  it.effect("entriesById keeps the order of the ids, and says which are missing", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const many = yield* Effect.forEach(
        Array.from({ length: 250 }, (_, n) => `key ${n}`),
        (key) => write(journal, key)
      )
      const ids = [...many.map(({ id }) => id).toReversed(), EventJournal.makeEntryIdUnsafe({ msecs: 1 })]
      const found = yield* journal.entriesById(ids)
      assert.deepStrictEqual(
        found.map((entry) => entry?.primaryKey),
        [...many.map(({ primaryKey }) => primaryKey).toReversed(), undefined]
      )
    })
  )

  it.effect("an entry whose effect fails is not kept", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const failure = yield* Effect.flip(
        journal.write({ event: "Changed", primaryKey: "a", payload: PAYLOAD, effect: () => Effect.fail("no") })
      )
      assert.strictEqual(failure, "no")
      assert.deepStrictEqual(yield* journal.entries, [])
    })
  )

  it.effect("subscribers hear of what was committed", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const changes = yield* journal.changes
      yield* Effect.flip(
        journal.write({ event: "Changed", primaryKey: "lost", payload: PAYLOAD, effect: () => Effect.fail("no") })
      )
      yield* write(journal, "kept")
      assert.strictEqual((yield* PubSub.take(changes)).primaryKey, "kept")
    })
  )

  it.effect("an import keeps each remote entry once, and tells duplicates and conflicts", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const remoteId = EventJournal.makeRemoteIdUnsafe()
      const old = remoteEntry(1, "shared", Date.now() - 60_000)
      const local = yield* write(journal, "shared")
      const seen: Array<readonly [string, ReadonlyArray<string>]> = []
      const run = (entries: ReadonlyArray<EventJournal.RemoteEntry>) =>
        journal.writeFromRemote({
          remoteId,
          entries,
          effect: (imported) =>
            Effect.sync(() => {
              for (const { conflicts, entry } of imported) {
                seen.push([entry.primaryKey, conflicts.map(({ idString }) => idString)])
              }
            })
        })
      const first = yield* run([old, remoteEntry(2, "alone", Date.now() - 50_000)])
      assert.deepStrictEqual(first.duplicateEntries, [])
      assert.deepStrictEqual(seen, [
        ["shared", [local.idString]],
        ["alone", []]
      ])
      const again = yield* run([old])
      assert.deepStrictEqual(keysOf(again.duplicateEntries), ["shared"])
      assert.strictEqual((yield* journal.entries).length, 3)
      assert.strictEqual(yield* journal.nextRemoteSequence(remoteId), 3)
    })
  )

  it.effect("an import of 500 entries is kept as a whole", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const remoteId = EventJournal.makeRemoteIdUnsafe()
      const entries = Array.from({ length: 500 }, (_, n) => remoteEntry(n + 1, `key ${n}`, Date.now() - 500_000 + n))
      yield* journal.writeFromRemote({ remoteId, entries, effect: () => Effect.void })
      assert.deepStrictEqual(
        keysOf(yield* journal.entries),
        entries.map(({ entry }) => entry.primaryKey)
      )
    })
  )

  it.effect("what was not uploaded to a remote is offered to it again, and what was uploaded is not", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const remoteId = EventJournal.makeRemoteIdUnsafe()
      const upload = <A, E>(f: (keys: ReadonlyArray<string>) => Effect.Effect<A, E>) =>
        journal.withRemoteUncommited(remoteId, (entries) => f(keysOf(entries)))
      const first = yield* write(journal, "first")
      assert.strictEqual(yield* Effect.flip(upload(() => Effect.fail("offline"))), "offline")
      assert.deepStrictEqual(yield* upload(Effect.succeed), Option.some(["first"]))
      const second = yield* write(journal, "second")
      assert.deepStrictEqual(yield* upload(Effect.succeed), Option.some(["second"]))
      assert.deepStrictEqual(yield* upload(Effect.succeed), Option.none())
      const acks = [first, second].map(({ id }, n) => ({ entryId: id, sequence: n }))
      yield* journal.writeRemoteAcks({ remoteId, acks })
      assert.strictEqual(yield* journal.nextRemoteSequence(remoteId), 2)
    })
  )

  it.effect("many fibers write at once, and each entry is kept", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const keys = Array.from({ length: 60 }, (_, n) => `key ${n}`)
      yield* Effect.forEach(keys, (key) => write(journal, key), { concurrency: "unbounded", discard: true })
      assert.deepStrictEqual(keysOf(yield* journal.entries).toSorted(), keys.toSorted())
    })
  )

  it.effect("what is written under a lock is kept as a whole or not at all", () =>
    Effect.gen(function* () {
      const journal = yield* makeJournal()
      const locked = journal.withLock(EventLogMessage.StoreId.make("store"))
      const both = (key: string) => Effect.andThen(write(journal, `${key} 1`), write(journal, `${key} 2`))
      yield* Effect.ignore(locked(Effect.andThen(both("lost"), Effect.fail("no"))))
      yield* Effect.all([locked(both("one")), locked(both("two"))], { concurrency: 2 })
      assert.deepStrictEqual(keysOf(yield* journal.entries).toSorted(), ["one 1", "one 2", "two 1", "two 2"])
    })
  )

  it.effect("a journal survives its program, and may be opened by many at once", () =>
    Effect.gen(function* () {
      const table = `journal_${++journals}`
      const opened = yield* Effect.all(
        Array.from({ length: 5 }, () => makeJournal(table)),
        { concurrency: 5 }
      )
      const [first] = opened
      if (first === undefined) throw new Error("there are five")
      yield* write(first, "kept")
      assert.deepStrictEqual(keysOf(yield* (yield* makeJournal(table)).entries), ["kept"])
    })
  )

  it.effect("an entry is part of the transaction around it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const journal = yield* makeJournal()
      yield* Effect.ignore(sql.withTransaction(Effect.andThen(write(journal, "lost"), Effect.fail("no"))))
      const written = yield* Deferred.make<void>()
      yield* sql.withTransaction(Effect.andThen(write(journal, "kept"), Deferred.succeed(written, undefined)))
      assert.deepStrictEqual(keysOf(yield* journal.entries), ["kept"])
    })
  )

  it.effect("destroy leaves nothing behind", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const table = `journal_${++journals}`
      const journal = yield* makeJournal(table)
      yield* write(journal, "gone")
      yield* journal.destroy
      assert.deepStrictEqual(
        yield* sql`SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE ${`${table}%`} AND reltuples > 0`,
        []
      )
    })
  )

  it.effect("works for a client that changes names", () =>
    Effect.gen(function* () {
      const settings = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }
      const program = Effect.gen(function* () {
        const journal = yield* makeJournal("journalOfNames")
        yield* write(journal, "named")
        return keysOf(yield* journal.entries)
      })
      assert.deepStrictEqual(yield* Effect.provide(program, clientOf(participant, settings)), ["named"])
    })
  )
})
