/** Takes over one `key=value` of a URL or of a string of pairs. */
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import { checkKey } from "./unsupportedKeys.ts"

/** The last of a repeated key wins, as in libpq. `where` is for the message: "in position 2 after its ? has". */
export const addPair = Effect.fnUntraced(function* (
  pairs: Map<string, string>,
  key: string,
  value: string,
  where: string
): Effect.fn.Return<void, PgError.InvalidConfigError> {
  const oldMode = oldSslMode(key, value)
  if (oldMode !== undefined) {
    // In libpq an old key overrides every sslmode before it; here it overrides only a weaker one.
    const mode = pairs.get("sslmode")
    if (mode === undefined || isWeaker(mode, oldMode)) pairs.set("sslmode", oldMode)
    return
  }
  yield* checkKey("url", where, key, value)
  pairs.set(key, value)
})

const isWeaker = (mode: string, other: string): boolean =>
  WEAK_MODES.includes(mode) && WEAK_MODES.indexOf(mode) < [...WEAK_MODES, "require"].indexOf(other)

/** From the weakest on. */
const WEAK_MODES = ["disable", "allow", "prefer"]

/** What the keys of JDBC and of libpq before 7.4 mean. */
const oldSslMode = (key: string, value: string): string | undefined => {
  if (key === "ssl" && value === "true") return "require"
  if (key === "requiressl") return value.startsWith("1") ? "require" : "prefer"
  return undefined
}
