/** Compares the messages of a cluster in tables: saved once, read once, answered, delivered late, given to another shard owner. */
import { assert } from "@effect/vitest"
import * as EntityAddress from "effect/cluster/EntityAddress"
import * as EntityId from "effect/cluster/EntityId"
import * as EntityType from "effect/cluster/EntityType"
import type * as Envelope from "effect/cluster/Envelope"
import type * as Reply from "effect/cluster/Reply"
import * as ShardId from "effect/cluster/ShardId"
import * as Snowflake from "effect/cluster/Snowflake"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import * as String from "effect/String"
import { clientOf, parity } from "./support/participants.ts"

/** Beyond what a double can tell apart. */
const FIRST_ID = 9_007_199_254_740_993n

let lastId = FIRST_ID
const nextId = (): string => `${++lastId}`

let prefixes = 0
const makeStorage = (prefix = `cluster_${++prefixes}`) =>
  Effect.provide(SqlMessageStorage.makeEncoded({ prefix }), Digest.layerWebCrypto)

const request = (options: Partial<Envelope.PartialRequestEncoded> = {}, shard = 1): Envelope.PartialRequestEncoded => ({
  _tag: "Request",
  requestId: nextId(),
  address: { shardId: { group: "default", id: shard }, entityType: "Counter", entityId: "a 'quoted' id" },
  tag: "Add",
  payload: { amount: 1, text: "naïve 🐘", nested: [null, true] },
  headers: { "x-header": "value" },
  ...options
})

const exitOf = (requestId: string, value: unknown = 1): Reply.WithExitEncoded => ({
  _tag: "WithExit",
  requestId,
  id: nextId(),
  exit: { _tag: "Success", value }
})

const chunkOf = (requestId: string, sequence: number): Reply.ChunkEncoded => ({
  _tag: "Chunk",
  requestId,
  id: nextId(),
  sequence,
  values: [{ n: sequence }]
})

const save = (envelope: Envelope.Encoded, primaryKey: string | null = null, deliverAt: number | null = null) => ({
  envelope,
  primaryKey,
  deliverAt
})

const addressOf = (entityId: string) =>
  new EntityAddress.EntityAddress({
    shardId: ShardId.make("default", 1),
    entityType: EntityType.make("Counter"),
    entityId: EntityId.make(entityId)
  })

const inShard = (entityId: string): Envelope.PartialRequestEncoded["address"] => ({
  shardId: { group: "default", id: 1 },
  entityType: "Counter",
  entityId
})

const idsOf = (messages: ReadonlyArray<{ readonly envelope: Envelope.Encoded }>) =>
  messages.map(({ envelope }) => (envelope._tag === "Request" ? envelope.requestId : envelope.id))

parity("SqlMessageStorage", (it, participant) => {
  it.effect("a request is read as it was saved, once, by the owner of its shard", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const saved = request({ traceId: "t", spanId: "s", sampled: true })
      assert.deepStrictEqual(yield* storage.saveEnvelope(save(saved)), { _tag: "Success" })
      assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:2"], Date.now()), [])
      assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:1", "default:2"], Date.now()), [
        { envelope: saved, lastSentReply: Option.none() }
      ])
      assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:1"], Date.now()), [])
    })
  )

  it.effect("messages keep their order", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const requests = Array.from({ length: 120 }, () => request())
      for (const each of requests) yield* storage.saveEnvelope(save(each))
      const read = yield* storage.unprocessedMessages(["default:1"], Date.now())
      assert.deepStrictEqual(
        idsOf(read),
        requests.map(({ requestId }) => requestId)
      )
    })
  )

  it.effect("a primary key is saved once, whatever its length, and tells the first request and its reply", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      for (const key of ["short", `long ${"x".repeat(400)}`]) {
        const [first, second] = [request(), request()]
        assert.strictEqual((yield* storage.saveEnvelope(save(first, key)))._tag, "Success")
        const originalId = Snowflake.Snowflake(first.requestId)
        assert.deepStrictEqual(yield* storage.saveEnvelope(save(second, key)), {
          _tag: "Duplicate",
          originalId,
          lastReceivedReply: Option.none()
        })
        const reply = exitOf(first.requestId, { done: true })
        yield* storage.saveReply(reply)
        assert.deepStrictEqual(yield* storage.saveEnvelope(save(second, key)), {
          _tag: "Duplicate",
          originalId,
          lastReceivedReply: Option.some(reply)
        })
        assert.deepStrictEqual(yield* storage.requestIdForPrimaryKey(key), Option.some(originalId))
      }
      assert.deepStrictEqual(yield* storage.requestIdForPrimaryKey("unknown"), Option.none())
    })
  )

  it.effect("of many that save one primary key at once, one succeeds", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const results = yield* Effect.all(
        Array.from({ length: 20 }, () => storage.saveEnvelope(save(request(), "the key"))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 1)
    })
  )

  it.effect("a reply ends a request; it is kept for whoever asks until it is cleared", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const [answered, open] = [request(), request()]
      yield* storage.saveEnvelope(save(answered))
      yield* storage.saveEnvelope(save(open))
      const reply = exitOf(answered.requestId, { text: "naïve 🐘" })
      yield* storage.saveReply(reply)
      assert.deepStrictEqual(yield* storage.repliesFor([answered.requestId, open.requestId]), [reply])
      assert.deepStrictEqual(yield* storage.repliesForUnfiltered([answered.requestId]), [reply])
      assert.deepStrictEqual(idsOf(yield* storage.unprocessedMessages(["default:1"], Date.now())), [open.requestId])
      assert.isTrue(yield* Effect.isFailure(storage.saveReply(exitOf(answered.requestId))))
      yield* storage.clearReplies(Snowflake.Snowflake(answered.requestId))
      assert.deepStrictEqual(yield* storage.repliesFor([answered.requestId]), [])
      const again = yield* storage.unprocessedMessagesById([Snowflake.Snowflake(answered.requestId)], Date.now())
      assert.deepStrictEqual(idsOf(again), [answered.requestId])
    })
  )

  it.effect("chunks of a stream are acknowledged one after the other", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const streamed = request()
      yield* storage.saveEnvelope(save(streamed))
      const [first, second] = [chunkOf(streamed.requestId, 0), chunkOf(streamed.requestId, 1)]
      yield* storage.saveReply(first)
      assert.deepStrictEqual(yield* storage.repliesFor([streamed.requestId]), [first])
      assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:1"], Date.now()), [])
      const ack: Envelope.AckChunkEncoded = {
        _tag: "AckChunk",
        id: nextId(),
        address: streamed.address,
        requestId: streamed.requestId,
        replyId: first.id
      }
      yield* storage.saveEnvelope(save(ack))
      yield* storage.saveReply(second)
      assert.deepStrictEqual(yield* storage.repliesFor([streamed.requestId]), [second])
    })
  )

  it.effect("an interrupt is a message of its own", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const running = request()
      yield* storage.saveEnvelope(save(running))
      const interrupt: Envelope.InterruptEncoded = {
        _tag: "Interrupt",
        id: nextId(),
        address: running.address,
        requestId: running.requestId
      }
      yield* storage.saveEnvelope(save(interrupt))
      const read = yield* storage.unprocessedMessages(["default:1"], Date.now())
      assert.deepStrictEqual(
        read.map(({ envelope }) => envelope),
        [running, interrupt]
      )
    })
  )

  it.effect("a message with a time is delivered at that time, in milliseconds beyond int4", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const late = request()
      const at = 4_102_444_800_123
      yield* storage.saveEnvelope(save(late, null, at))
      for (const now of [Date.now(), at - 1]) {
        assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:1"], now), [])
      }
      assert.deepStrictEqual(idsOf(yield* storage.unprocessedMessages(["default:1"], at)), [late.requestId])
    })
  )

  it.effect("reads have a limit, and may ask for addresses", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const requests = ["a", "b", "a", "c", "a"].map((id) => request({ address: inShard(id) }))
      for (const each of requests) yield* storage.saveEnvelope(save(each))
      const ids = requests.map(({ requestId }) => requestId)
      const read = (options: {
        readonly limit?: number
        readonly addresses?: ReadonlyArray<EntityAddress.EntityAddress>
      }) => Effect.map(storage.unprocessedMessages(["default:1"], Date.now(), options), idsOf)
      assert.deepStrictEqual(yield* read({ addresses: [] }), [])
      assert.deepStrictEqual(yield* read({ addresses: [addressOf("a")], limit: 2 }), [ids[0], ids[2]])
      assert.deepStrictEqual(yield* read({ addresses: [addressOf("b"), addressOf("c")] }), [ids[1], ids[3]])
      assert.deepStrictEqual(yield* read({}), [ids[4]])
    })
  )

  it.effect("messages that were read and not answered can be read again after a reset of each kind", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const lost = request({ address: inShard("a") })
      yield* storage.saveEnvelope(save(lost))
      const resets = [
        storage.resetShards(["default:1"]),
        storage.resetAddresses([addressOf("a")]),
        storage.resetRequests([Snowflake.Snowflake(lost.requestId)])
      ]
      const read = Effect.map(
        Effect.suspend(() => storage.unprocessedMessages(["default:1"], Date.now())),
        idsOf
      )
      assert.deepStrictEqual(yield* read, [lost.requestId])
      for (const reset of resets) {
        assert.deepStrictEqual(yield* read, [])
        yield* reset
        assert.deepStrictEqual(yield* read, [lost.requestId])
      }
      yield* storage.clearAddress(addressOf("a"))
      yield* storage.resetShards(["default:1"])
      assert.deepStrictEqual(yield* read, [])
    })
  )

  it.effect("many owners that read at once share the messages: none twice, none lost", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const requests = Array.from({ length: 60 }, () => request())
      yield* Effect.forEach(requests, (each) => storage.saveEnvelope(save(each)), { concurrency: 10, discard: true })
      const reads = yield* Effect.all(
        Array.from({ length: 6 }, () => storage.unprocessedMessages(["default:1"], Date.now(), { limit: 10 })),
        { concurrency: "unbounded" }
      )
      const rest = yield* storage.unprocessedMessages(["default:1"], Date.now())
      const ids = [...reads.flatMap(idsOf), ...idsOf(rest)]
      assert.strictEqual(new Set(ids).size, ids.length)
      assert.deepStrictEqual(ids.toSorted(), requests.map(({ requestId }) => requestId).toSorted())
    })
  )

  it.effect("200 polls, each a new text, answer the same, and do not fill the server with statements", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const storage = yield* makeStorage()
      const now = Date.now()
      for (let poll = 0; poll < 200; poll++) {
        assert.deepStrictEqual(yield* storage.unprocessedMessages([`default:${1 + (poll % 30)}`], now + poll), [])
      }
      const [row] = yield* sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_prepared_statements`
      assert.isAtMost(row?.n ?? Infinity, 110)
    })
  )

  it.effect("what a transaction saves is kept as a whole or not at all", () =>
    Effect.gen(function* () {
      const storage = yield* makeStorage()
      const [lost, kept] = [request(), request()]
      yield* Effect.ignore(storage.withTransaction(Effect.andThen(storage.saveEnvelope(save(lost)), Effect.fail("no"))))
      yield* storage.withTransaction(
        Effect.andThen(storage.saveEnvelope(save(kept)), storage.saveReply(chunkOf(kept.requestId, 0)))
      )
      const ids = [lost, kept].map(({ requestId }) => requestId)
      const [lostId, keptId] = ids
      if (lostId === undefined || keptId === undefined) throw new Error("there are two")
      assert.strictEqual((yield* storage.repliesFor([lostId, keptId])).length, 1)
    })
  )

  it.effect("tables may be prepared by five programs at once", () =>
    Effect.gen(function* () {
      const prefix = `cluster_${++prefixes}`
      const storages = yield* Effect.all(
        Array.from({ length: 5 }, () => makeStorage(prefix)),
        { concurrency: 5 }
      )
      assert.strictEqual(storages.length, 5)
    })
  )

  it.effect("works for a client that changes names", () =>
    Effect.gen(function* () {
      const settings = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }
      const program = Effect.gen(function* () {
        const storage = yield* makeStorage()
        const saved = request()
        yield* storage.saveEnvelope(save(saved))
        return yield* storage.unprocessedMessages(["default:1"], Date.now())
      })
      assert.strictEqual((yield* Effect.provide(program, clientOf(participant, settings))).length, 1)
    })
  )
})
