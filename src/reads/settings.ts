/** Makes the settings of a client's two pools from those of the client. */
import * as Effect from "effect/Effect"
import * as Shape from "../call/shape.ts"
import { invalid } from "../config/given.ts"
import * as PgConfig from "../PgConfig.ts"
import * as PgError from "../PgError.ts"
import type * as PgPool from "../PgPool.ts"

/** The settings of each pool. Those of the second one are undefined if the client has none. */
export interface Divided {
  readonly own: PgPool.Settings
  readonly reads: PgPool.Settings | undefined
}

export type ReadingSettings = PgPool.Settings & { readonly reads?: PgPool.Settings | undefined }

/** Takes `reads` out of the settings of a client. */
export const divided = (settings: ReadingSettings): Effect.Effect<Divided, PgError.InvalidConfigError> =>
  Effect.suspend((): Effect.Effect<Divided, PgError.InvalidConfigError> => {
    const known = Shape.copyOf(settings)
    // A value that is not an object has no pool for reads; reading the other settings reports it.
    if (known === undefined) return Effect.succeed({ own: settings, reads: undefined })
    const { reads, ...own } = known
    if (reads === undefined) return Effect.succeed({ own, reads })
    const given = Shape.isPlain(reads) ? Shape.copyOf(reads) : undefined
    if (given === undefined) return Effect.fail(invalid("reads", NO_SETTINGS))
    for (const name of ["names", "types"] as const) {
      if (given[name] === undefined) continue
      return Effect.fail(invalid(`reads.${name}`, "is the same for the whole client: set it there"))
    }
    return Effect.map(forWriting(own), (writing) => ({ own: writing, reads: laidOver(own, given) }))
  })

const NO_SETTINGS = "must be an object of settings, such as { host: ['standby1', 'standby2'] }, or {}"

/** With a pool for reads beside it, the client's own pool has to write, unless the settings say otherwise. */
const forWriting = ({
  init,
  onConnect,
  reset,
  setup,
  ...others
}: PgPool.Settings): Effect.Effect<PgPool.Settings, PgError.InvalidConfigError> =>
  Effect.map(PgConfig.resolvePool(others), ({ targetSessionAttrs }) => ({
    ...others,
    targetSessionAttrs: others.targetSessionAttrs ?? (targetSessionAttrs === "any" ? "read-write" : targetSessionAttrs),
    init,
    onConnect,
    reset,
    setup
  }))

const laidOver = (own: PgPool.Settings, reads: PgPool.Settings): PgPool.Settings => {
  const { host, hostaddr, port, service, url, ...common } = own
  const address = "url" in reads ? {} : { url, service, host, port, ...(reads.host === undefined ? { hostaddr } : {}) }
  return definedIn({ ...common, ...address, ...DEFAULTS }, reads)
}

const DEFAULTS: PgPool.Settings = { targetSessionAttrs: "prefer-standby", loadBalanceHosts: "random" }

const definedIn = (base: PgPool.Settings, over: PgPool.Settings): PgPool.Settings => ({
  ...withoutUndefined(base),
  ...withoutUndefined(over),
  // A URL that is undefined is reported, because its variable may be missing.
  ...("url" in over && over.url === undefined ? { url: undefined } : {})
})

const withoutUndefined = (settings: PgPool.Settings): PgPool.Settings =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))

/** Names the setting as the user has written it. */
export const ofReads = (error: PgError.PgError): PgError.PgError =>
  error._tag === "InvalidConfigError" && error.setting !== undefined
    ? new PgError.InvalidConfigError({ setting: `reads.${error.setting}`, reason: error.reason })
    : error
