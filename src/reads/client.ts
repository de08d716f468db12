/** Opens a client: a pool, and with the setting `reads` a second one. */
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { onFirstUse } from "../call/firstUse.ts"
import { type OrConfigs, readSettings } from "../config/configSettings.ts"
import type * as PgError from "../PgError.ts"
import { makePool, type Pool } from "../pool/pool.ts"
import type { ReadingClient } from "./readingClient.ts"
import { divided, type ReadingSettings } from "./settings.ts"

/** Opens a client for the scope; see `PgClient.make`. */
export const makeClient = (
  settings: ReadingSettings
): Effect.Effect<Pool | ReadingClient, PgError.PgError, Scope.Scope> =>
  Effect.flatMap(
    divided(settings),
    ({ own, reads }): Effect.Effect<Pool | ReadingClient, PgError.PgError, Scope.Scope> =>
      reads === undefined ? makePool(own) : withReads(({ readingClient }) => readingClient(own, reads))
  )

/** Opens a client as `makeClient` does, with settings of which each may be a `Config`. */
export const makeClientFrom = (
  settings: OrConfigs<ReadingSettings> | Config.Config<ReadingSettings>
): Effect.Effect<Pool | ReadingClient, PgError.PgError | Config.ConfigError, Scope.Scope> =>
  Effect.flatMap(readSettings<ReadingSettings>(settings), makeClient)

const withReads = onFirstUse("reads on standbys", () => import("./readingClient.ts"))
