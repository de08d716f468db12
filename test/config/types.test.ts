import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TypeCodecs } from "../../src/codec/typeCodec.ts"
import * as PgConfig from "../../src/PgConfig.ts"
import * as PgTypes from "../../src/PgTypes.ts"

const PLACE = { host: "localhost", user: "alice" }

describe("types", () => {
  it.effect("accepts codecs of PgTypes", () =>
    Effect.gen(function* () {
      const { types } = yield* PgConfig.resolve({ ...PLACE, types: [PgTypes.hstore] }, {})
      assert.isDefined(types.find({ kind: "base", schema: "anywhere", name: "hstore" }))
      assert.strictEqual((yield* PgConfig.resolve(PLACE, {})).types, TypeCodecs.none)
    })
  )

  it.effect("refuses everything else", () =>
    Effect.gen(function* () {
      // As a JavaScript program may call it.
      const given: ReadonlyArray<unknown> = ["hstore", PgTypes.hstore, [{ name: "hstore", decode: String }], [null]]
      for (const types of given) {
        const failure = yield* Effect.flip(PgConfig.resolve(Object({ ...PLACE, types }), {}))
        assert.strictEqual(failure.setting, "types")
        assert.include(failure.message, "PgTypes.codec")
      }
    })
  )
})
