/** Asks a server about a statement as `effectpg types` does. */
import * as Effect from "effect/Effect"
import type { Asker, Description } from "../../../src/cli/statements/asking/asker.ts"
import type * as PgError from "../../../src/PgError.ts"

export const describe = (asker: Asker, sql: string): Effect.Effect<Description, PgError.PgError> =>
  Effect.flatMap(asker.check(sql), (checked) => asker.describe(sql, checked))
