import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { TypeCodecs } from "../../../src/codec/typeCodec.ts"
import type { PreparedStatement } from "../../../src/session/statement/preparedStatement.ts"
import { StatementCache, type StatementCacheLimits } from "../../../src/session/statement/statementCache.ts"
import type { Statements } from "../../../src/session/statement/statements.ts"
import { MAX_NAME_BYTES } from "../../../src/wire/limits.ts"
import { int } from "../../wire/frames.ts"

const unlimited: StatementCacheLimits = { mode: "cached", size: 100, lifetimeMillis: 0, maxSqlBytes: 0 }

const cacheOf = (limits: Partial<StatementCacheLimits> = {}): StatementCache =>
  new StatementCache({ ...unlimited, ...limits }, "cafe")

const prepare = (cache: Statements, sql: string, preparedAt = 0): PreparedStatement => {
  const statement: PreparedStatement = {
    key: sql,
    sql,
    name: cache.nameFor(sql, sql),
    bindNames: new Uint8Array(),
    parameters: [],
    parameterOids: [],
    rowShape: undefined,
    resultFormats: new Uint8Array(),
    kind: "planned",
    isDescribed: true,
    mayCopy: false,
    changesSession: false,
    preparedAt,
    types: undefined,
    codecs: TypeCodecs.none,
    version: 0,
    path: undefined
  }
  cache.add(statement)
  return statement
}

describe("StatementCache", () => {
  it("finds a statement under its text only", () => {
    const cache = cacheOf()
    const statement = prepare(cache, "SELECT 1")
    assert.strictEqual(cache.get("SELECT 1", 0), statement)
    assert.strictEqual(cache.get("SELECT 1 ", 0), undefined)
    assert.strictEqual(cache.get("select 1", 0), undefined)
    assert.deepStrictEqual(cache.evictions, [])
  })

  it("evicts the least recently used statement", () => {
    const cache = cacheOf({ size: 2 })
    const a = prepare(cache, "A")
    const b = prepare(cache, "B")
    assert.strictEqual(cache.get("A", 0), a)
    const c = prepare(cache, "C")
    assert.strictEqual(cache.get("B", 0), undefined)
    assert.strictEqual(cache.get("A", 0), a)
    assert.strictEqual(cache.get("C", 0), c)
    assert.deepStrictEqual(cache.evictions, [b.name])
  })

  it("asks for each Close until it has been written, once", () => {
    const cache = cacheOf({ size: 1 })
    const a = prepare(cache, "A")
    prepare(cache, "B")
    assert.deepStrictEqual(cache.evictions, [a.name])
    assert.deepStrictEqual(cache.evictions, [a.name])
    cache.evictionsWritten()
    assert.deepStrictEqual(cache.evictions, [])
  })

  it("keeps a statement for its lifetime and not longer", () => {
    const cache = cacheOf({ lifetimeMillis: 300 })
    const statement = prepare(cache, "A", 1_000)
    assert.strictEqual(cache.get("A", 1_300), statement)
    assert.strictEqual(cache.get("A", 1_301), undefined)
    assert.deepStrictEqual(cache.evictions, [statement.name])
  })

  it("keeps a statement forever if the lifetime is 0", () => {
    const cache = cacheOf({ lifetimeMillis: 0 })
    const statement = prepare(cache, "A", 0)
    assert.strictEqual(cache.get("A", Number.MAX_SAFE_INTEGER), statement)
  })

  it("prepares a text that is too long, or any if the size is 0, as the unnamed statement and forgets it", () => {
    for (const cache of [cacheOf({ maxSqlBytes: 3 }), cacheOf({ size: 0 })]) {
      assert.strictEqual(cache.nameFor("ABCD"), "")
      prepare(cache, "ABCD")
      assert.strictEqual(cache.get("ABCD", 0), undefined)
      assert.deepStrictEqual(cache.evictions, [])
    }
    assert.notStrictEqual(cacheOf({ maxSqlBytes: 3 }).nameFor("ABC"), "")
  })

  it("names a statement by its text and its session, within the server's limit for names", () => {
    const [one, other] = [new StatementCache(unlimited, "0badf00d"), new StatementCache(unlimited, "deadbeef")]
    const name = one.nameFor("SELECT 1")
    assert.strictEqual(name, one.nameFor("SELECT 1"))
    assert.notStrictEqual(name, one.nameFor("SELECT 2"))
    assert.notStrictEqual(name, other.nameFor("SELECT 1"))
    assert.match(name, /^effectpg_0badf00d_[0-9a-f]{32}$/)
    assert.isAtMost(name.length, MAX_NAME_BYTES)
  })

  it("drops everything and closes nothing when the server has deallocated all", () => {
    const cache = cacheOf({ size: 1 })
    prepare(cache, "A")
    prepare(cache, "B")
    cache.clear()
    assert.strictEqual(cache.get("B", 0), undefined)
    assert.deepStrictEqual(cache.evictions, [])
  })

  it("closes a statement that it never had, unless it is the unnamed one", () => {
    const cache = cacheOf()
    cache.close("prepared and not kept")
    cache.close("")
    assert.deepStrictEqual(cache.evictions, ["prepared and not kept"])
  })

  it("does not evict the statement that has taken the place of a stale one", () => {
    const cache = cacheOf()
    const stale = prepare(cache, "A")
    const fresh = prepare(cache, "A")
    cache.evict(stale)
    assert.strictEqual(cache.get("A", 0), fresh)
    assert.deepStrictEqual(cache.evictions, [])
  })

  it.prop(
    "never keeps more than its size, and every statement is kept or closed",
    [int(1, 5), Arbitrary.array(Arbitrary.all([int(0, 2), int(0, 9)]), { maxLength: 60 })],
    ([size, uses]) => {
      const cache = cacheOf({ size })
      const prepared = new Map<string, PreparedStatement>()
      const closed = new Set<string>()
      const prune = (): void => {
        for (const name of cache.evictions) {
          closed.add(name)
          for (const [sql, { name: known }] of prepared) if (known === name) prepared.delete(sql)
        }
        cache.evictionsWritten()
      }
      for (const [kind, number] of uses) {
        const sql = `SELECT ${number}`
        const found = cache.get(sql, 0)
        assert.strictEqual(found, prepared.get(sql))
        if (found === undefined) prepared.set(sql, prepare(cache, sql))
        else if (kind === 0) cache.evict(found)
        prune()
        assert.isAtMost(prepared.size, size)
      }
    }
  )
})

describe("the statements that are kept if their text comes again", () => {
  it.each(["cached", "unnamed"] as const)("are kept from the second time on (%s)", (mode) => {
    const cache = cacheOf({ mode })
    const first = prepare(cache.repeated, "SELECT 1")
    assert.strictEqual(first.name, "")
    assert.strictEqual(cache.get("SELECT 1", 0), undefined)
    const second = prepare(cache.repeated, "SELECT 1")
    assert.strictEqual(second.name === "", mode === "unnamed")
    assert.strictEqual(cache.repeated.get("SELECT 1", 0), second)
    assert.isTrue(cache.has(second))
  })

  it("do not push out others, however many texts come once", () => {
    const cache = cacheOf({ size: 2 })
    const often = prepare(cache, "often")
    for (let count = 0; count < 100; count++) prepare(cache.repeated, `once ${count}`)
    assert.strictEqual(cache.get("often", 0), often)
    assert.deepStrictEqual(cache.evictions, [])
  })

  it.each([0, 1, 2, 3])(
    "are kept if as many other texts come in between as the cache has room for, after %i texts",
    (earlier) => {
      const cache = cacheOf({ size: 2 })
      for (let count = 0; count < earlier; count++) prepare(cache.repeated, `earlier ${count}`)
      for (const sql of ["A", "B", "C"]) prepare(cache.repeated, sql)
      assert.notStrictEqual(prepare(cache.repeated, "A").name, "")
    }
  )

  it("are first ones again after twice as many other texts as the cache has room for", () => {
    const cache = cacheOf({ size: 2 })
    for (const sql of ["A", "B", "C", "D", "E"]) prepare(cache.repeated, sql)
    assert.strictEqual(prepare(cache.repeated, "A").name, "")
    assert.notStrictEqual(prepare(cache.repeated, "E").name, "")
  })

  it("are evicted from the cache", () => {
    const cache = cacheOf()
    prepare(cache.repeated, "A")
    const kept = prepare(cache.repeated, "A")
    cache.repeated.evict(kept)
    assert.isFalse(cache.has(kept))
    assert.deepStrictEqual(cache.evictions, [kept.name])
  })
})
