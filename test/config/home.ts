/** Makes a user's home directory for a test, with given files and nothing of the machine that runs it. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type * as PgConfig from "../../src/PgConfig.ts"
import type * as PgError from "../../src/PgError.ts"

/**
 * The path of a new directory that holds `files`, each readable by its owner only. It is removed when the scope ends.
 */
export const homeWith = (files: Readonly<Record<string, string>> = {}): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const home = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-home-"))
      for (const [name, text] of Object.entries(files)) {
        const file = path.join(home, name)
        fs.mkdirSync(path.dirname(file), { recursive: true })
        fs.writeFileSync(file, text, { mode: 0o600 })
      }
      return home
    }),
    (home) => Effect.sync(() => fs.rmSync(home, { recursive: true, force: true }))
  )

/** The message of an effect that must fail. */
export const refusal = <A, R>(effect: Effect.Effect<A, PgError.InvalidConfigError, R>): Effect.Effect<string, A, R> =>
  Effect.map(Effect.flip(effect), (error) => error.message)

/** Settings as a program without types may give them. */
export const untyped = (settings: Readonly<Record<string, unknown>>): PgConfig.PoolSettings => settings

/** The password for a host, by default for the first. */
export const passwordOf = (config: PgConfig.ResolvedConfig, host = config.hosts[0]) =>
  Effect.map(host?.password ?? config.password, (password) => password && Redacted.value(password))
