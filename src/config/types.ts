/** Reads the setting `types`: the codecs that the user chose. */
import * as Effect from "effect/Effect"
import { TypeCodec, TypeCodecs } from "../codec/typeCodec.ts"
import type * as PgError from "../PgError.ts"
import { type Given, invalid } from "./given.ts"

export const readTypes = ({ name, value }: Given): Effect.Effect<TypeCodecs, PgError.InvalidConfigError> =>
  Array.isArray(value) && value.every((codec) => codec instanceof TypeCodec)
    ? Effect.succeed(new TypeCodecs(value))
    : invalid(name, "must be a list of codecs such as PgTypes.hstore or those that PgTypes.codec makes")
