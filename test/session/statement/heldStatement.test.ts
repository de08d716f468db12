import { assert, describe, it } from "@effect/vitest"
import { TypeCodecs } from "../../../src/codec/typeCodec.ts"
import { OwnStatement } from "../../../src/session/statement/heldStatement.ts"
import type { PreparedStatement } from "../../../src/session/statement/preparedStatement.ts"
import { StatementCache } from "../../../src/session/statement/statementCache.ts"

const cacheOf = (size = 100): StatementCache =>
  new StatementCache({ mode: "cached", size, lifetimeMillis: 0, maxSqlBytes: 0 }, "cafe")

const prepared = (name: string): PreparedStatement => ({
  key: "SELECT",
  sql: "SELECT",
  name,
  bindNames: new Uint8Array(),
  parameters: [],
  parameterOids: [],
  rowShape: undefined,
  resultFormats: new Uint8Array(),
  kind: "planned",
  isDescribed: true,
  mayCopy: false,
  changesSession: false,
  preparedAt: 0,
  types: undefined,
  codecs: TypeCodecs.none,
  version: 0,
  path: undefined
})

describe("a held statement", () => {
  it("stays beside the cache, and the next request after its end closes it", () => {
    const cache = cacheOf()
    const own = new OwnStatement(cache, cache.ownName())
    const statement = prepared(own.nameFor("SELECT", "SELECT"))
    assert.strictEqual(own.get(), undefined)
    own.add(statement)
    assert.strictEqual(own.get(), statement)
    assert.strictEqual(cache.get("SELECT", 0), undefined)
    assert.isEmpty(cache.evictions)
    own.close()
    assert.deepStrictEqual(cache.evictions, [statement.name])
    own.close()
    assert.deepStrictEqual(cache.evictions, [statement.name])
  })

  it("is dropped if it is evicted, and only then", () => {
    const cache = cacheOf()
    const own = new OwnStatement(cache, "mine")
    own.add(prepared("mine"))
    own.evict(prepared("mine"))
    assert.isEmpty(cache.evictions)
    own.evict(own.get() ?? assert.fail("it is not kept"))
    assert.strictEqual(own.get(), undefined)
    assert.deepStrictEqual(cache.evictions, ["mine"])
  })

  it("is closed at once if it was prepared after its end, and is not prepared again", () => {
    const cache = cacheOf()
    const own = new OwnStatement(cache, "mine")
    own.close()
    own.add(prepared("mine"))
    assert.strictEqual(own.get(), undefined)
    assert.deepStrictEqual(cache.evictions, ["mine"])
    assert.throws(() => own.nameFor("SELECT", "SELECT"), /prepare it again/)
  })

  it("has no name if the session keeps no statements, and then nothing is closed", () => {
    const cache = cacheOf(0)
    assert.strictEqual(cache.ownName(), "")
    const own = new OwnStatement(cache, "")
    const statement = prepared("")
    own.add(statement)
    assert.strictEqual(own.get(), statement)
    own.close()
    assert.strictEqual(own.get(), undefined)
    assert.isEmpty(cache.evictions)
  })

  it("has a name that no other statement has", () => {
    const cache = cacheOf()
    assert.notStrictEqual(cache.ownName(), cache.ownName())
  })
})
