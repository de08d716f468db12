/**
 * Tests that the number of known types is bounded: a program that makes and drops temporary tables can always learn new
 * ones.
 */
import { assert, describe, it } from "@effect/vitest"
import { TypeCodecs } from "../../../src/codec/typeCodec.ts"
import type { TypeDescription } from "../../../src/codec/typeDescription.ts"
import { TypeCatalogue } from "../../../src/session/types/typeCatalogue.ts"
import { KnownDatabases } from "../../../src/session/types/knownDatabase.ts"

const BOUND = 2_000

const composite = (oid: number): TypeDescription => ({
  oid,
  schema: "pg_temp_3",
  name: `temporary_${oid}`,
  kind: "composite",
  attributes: [{ name: "n", oid: 23 }]
})

describe("the types that a catalogue knows", () => {
  it("are dropped for new ones if they are too many, whatever comes later", () => {
    const catalogue = TypeCatalogue.open()
    let largest = 0
    for (let oid = 100_000; oid < 100_000 + 5 * BOUND; oid++) {
      const { types } = catalogue
      types.add([composite(oid)])
      assert.isDefined(types.codec(oid))
      largest = Math.max(largest, types.size)
    }
    assert.isAtLeast(largest, BOUND)
    assert.isAtMost(largest, BOUND + 1)
  })

  it("are bounded for each choice of codecs, and for all sessions of a database together", () => {
    const databases = new KnownDatabases()
    const catalogues = [TypeCatalogue.open(TypeCodecs.none, databases), TypeCatalogue.open(TypeCodecs.none, databases)]
    for (const catalogue of catalogues) catalogue.identified("the same")
    for (let oid = 100_000; oid < 100_000 + 2 * BOUND; oid++) {
      const { types } = catalogues[oid % 2] ?? assert.fail("there are two")
      types.add([composite(oid)])
      assert.isAtMost(types.size, BOUND + 1)
    }
    assert.strictEqual(catalogues[0]?.types, catalogues[1]?.types)
  })

  it("still serve the statements that hold them, while others get the current ones", () => {
    const catalogue = TypeCatalogue.open()
    const inUse = catalogue.types
    inUse.add([composite(99_999)])
    const codec = inUse.codec(99_999)
    const provenance = { types: inUse, codecs: catalogue.codecs, version: catalogue.version, path: catalogue.path }
    assert.isTrue(catalogue.isCurrent(provenance))
    for (let oid = 100_000; oid < 100_000 + BOUND; oid++) catalogue.types.add([composite(oid)])
    assert.isTrue(catalogue.isCurrent(provenance))
    const { types } = catalogue
    assert.notStrictEqual(types, inUse)
    assert.isFalse(types.isKnown(99_999))
    assert.strictEqual(inUse.codec(99_999), codec)
    assert.isFalse(catalogue.isCurrent(provenance))
  })
})
