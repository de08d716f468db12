import { assert, describe, it } from "@effect/vitest"
import { TypeCodecs } from "../../../src/codec/typeCodec.ts"
import { KnownDatabases } from "../../../src/session/types/knownDatabase.ts"
import { TypeCatalogue } from "../../../src/session/types/typeCatalogue.ts"

const OID = 100_000

const learn = (catalogue: TypeCatalogue, name: string): void =>
  catalogue.types.add([{ oid: OID, schema: "public", name, kind: "enum" }])

const nameIn = (catalogue: TypeCatalogue): string => catalogue.types.typeName(OID)

const unknown = nameIn(TypeCatalogue.open())

/** Two sessions of one pool, whose servers have said who they are. */
const sessions = (one: string | undefined, other: string | undefined): readonly [TypeCatalogue, TypeCatalogue] => {
  const databases = new KnownDatabases()
  const opened = [
    TypeCatalogue.open(TypeCodecs.none, databases),
    TypeCatalogue.open(TypeCodecs.none, databases)
  ] as const
  opened[0].identified(one)
  opened[1].identified(other)
  return opened
}

describe("the sessions of a pool", () => {
  it("share the types of one database", () => {
    const [one, other] = sessions("server a, database 1", "server a, database 1")
    learn(one, "mood")
    assert.strictEqual(nameIn(other), "mood")
  })

  it.each([
    ["two servers", "server a, database 1", "server b, database 1"],
    ["two databases of a server", "server a, database 1", "server a, database 2"],
    ["two servers of which neither says who it is", undefined, undefined]
  ])("do not share types between %s, where one OID may have two meanings", (_what, first, second) => {
    const [one, other] = sessions(first, second)
    learn(one, "mood")
    assert.strictEqual(nameIn(other), unknown)
    learn(other, "color")
    assert.strictEqual(nameIn(one), "mood")
    assert.strictEqual(nameIn(other), "color")
  })

  it("keep to themselves what they know until their servers have said who they are", () => {
    const databases = new KnownDatabases()
    const one = TypeCatalogue.open(TypeCodecs.none, databases)
    const other = TypeCatalogue.open(TypeCodecs.none, databases)
    learn(one, "mood")
    assert.strictEqual(nameIn(other), unknown)
    one.identified("server a, database 1")
    other.identified("server a, database 1")
    assert.strictEqual(nameIn(other), "mood")
  })

  it("begin anew after the last session to a database has ended", () => {
    const databases = new KnownDatabases()
    const one = TypeCatalogue.open(TypeCodecs.none, databases)
    one.identified("server a, database 1")
    learn(one, "mood")
    one.close()
    const next = TypeCatalogue.open(TypeCodecs.none, databases)
    next.identified("server a, database 1")
    assert.strictEqual(nameIn(next), unknown)
  })
})
