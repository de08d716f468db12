/** Reads which versions of PostgreSQL's protocol a connection may use. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { invalid, readChoice, readOr } from "./given.ts"
import type { Source } from "./source/sources.ts"

/**
 * A version of PostgreSQL's protocol. `latest` is the newest that this client knows: 3.2, of PostgreSQL 18. There is no
 * 3.1.
 *
 * @category models
 * @since 0.1.0
 */
export type ProtocolVersion = "3.0" | "3.2" | "latest"

const VERSIONS: ReadonlyArray<ProtocolVersion> = ["3.0", "3.2", "latest"]

export interface ProtocolVersions {
  readonly minProtocolVersion: "3.0" | "3.2"
  readonly maxProtocolVersion: "3.0" | "3.2"
}

export const resolveProtocolVersions = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<ProtocolVersions, PgError.InvalidConfigError> {
  const min = source("minProtocolVersion")
  const minProtocolVersion = numbered(yield* readOr(min, readChoice(VERSIONS), "3.0"))
  const maxProtocolVersion = numbered(
    yield* readOr(source("maxProtocolVersion"), readChoice(VERSIONS), minProtocolVersion)
  )
  if (minProtocolVersion > maxProtocolVersion) {
    return yield* invalid(min?.name, "is newer than maxProtocolVersion, so that no version remains")
  }
  return { minProtocolVersion, maxProtocolVersion }
})

const numbered = (version: ProtocolVersion): "3.0" | "3.2" => (version === "latest" ? "3.2" : version)
