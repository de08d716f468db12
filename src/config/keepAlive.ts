/** Reads how TCP checks whether a silent server is still there. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { type Given, invalid, readInteger, readMillis, readMillisOrNoLimit, readOr } from "./given.ts"
import type { Source } from "./source/sources.ts"

export interface KeepAlive {
  readonly keepAliveMillis: number | undefined
  readonly keepAliveIntervalMillis: number | undefined
  readonly keepAliveCount: number | undefined
}

const DEFAULT_MILLIS = 30_000

/** The largest number of checks that Linux can count. */
const MAX_COUNT = 127

const NONE: KeepAlive = { keepAliveMillis: undefined, keepAliveIntervalMillis: undefined, keepAliveCount: undefined }

export const resolveKeepAlive = Effect.fnUntraced(function* (
  source: Source
): Effect.fn.Return<KeepAlive, PgError.InvalidConfigError> {
  const option = source("keepAlive")
  // libpq has two keys for it: whether to check at all, and after what time, where 0 leaves the time to the system.
  const isWanted = yield* readOr(source("keepalives"), readSwitch, true)
  const idle = yield* readOr(source("keepalives_idle"), readMillisOrNoLimit, 0)
  const fallback = isWanted ? idle || DEFAULT_MILLIS : 0
  const keepAliveMillis = yield* readOr(option, readMillisOrNoLimit, fallback)
  const interval = source("keepAliveInterval")
  const count = source("keepAliveCount")
  const keepAliveIntervalMillis = yield* readOr(interval, readMillis({ infinity: "refused" }), 0)
  const keepAliveCount = yield* readOr(count, readInteger(0, MAX_COUNT), 0)
  if (keepAliveMillis === 0) return NONE
  if (keepAliveIntervalMillis > 0) yield* checkNode(interval)
  if (keepAliveCount > 0) yield* checkNode(count)
  return {
    keepAliveMillis,
    keepAliveIntervalMillis: keepAliveIntervalMillis || undefined,
    keepAliveCount: keepAliveCount || undefined
  }
})

/** As in libpq, every number but 0 switches it on. */
const readSwitch = (given: Given): Effect.Effect<boolean, PgError.InvalidConfigError> =>
  typeof given.value === "string" && /^\s*[+-]?\d+\s*$/.test(given.value)
    ? Effect.succeed(Number(given.value) !== 0)
    : Effect.fail(invalid(given.name, "must be 1 or 0"))

/** Older versions of Node ignore the interval and the count without a word. */
const checkNode = (given: Given | undefined): Effect.Effect<void, PgError.InvalidConfigError> => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  return major > 24 || (major === 24 && minor >= 19)
    ? Effect.void
    : Effect.fail(invalid(given?.name, "needs Node 24.19 or newer, because older ones cannot set it; leave it out"))
}
