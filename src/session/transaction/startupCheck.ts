/**
 * Finds out whether a pooler ignores settings of the startup. A server refuses a parameter that it does not know, and a
 * pooler can be told to take it and do nothing about it. Most parameters are not reported, so the server has to be
 * asked: once for a pool, and only if its settings have such parameters.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import { quoteText } from "../../wire/sqlText.ts"
import type { Session } from "../engine/session.ts"
import type { Check } from "../opening/connect.ts"
import type { Pooler } from "../pooler/pooler.ts"
import { mayBeSetAgain, type StartupSettings } from "../pooler/startupSettings.ts"
import { checkSettings } from "./codecCheck.ts"
import { hasLostSettings } from "./reset.ts"
import { submitControl } from "./control.ts"

/** What a session of the pool must pass before it is used. */
export const checkSession: Check = (session, codecs, databases) =>
  Effect.andThen(checkSettings(session, codecs, databases), checkStartup(session, databases.pooler))

const checkStartup = (session: Session, pooler: Pooler): Effect.Effect<void, PgError.PgError> =>
  Effect.suspend(() => {
    const { startup } = session.residue
    if (startup === undefined) return Effect.void
    return Effect.flatMap(asked(session, startup, pooler), () => {
      const isIgnored = Array.from(startup.configured.keys()).some(
        (name) => pooler.ignored.has(name) && mayBeSetAgain(name)
      )
      return isIgnored ? restored(session, startup) : Effect.void
    })
  })

/** Asks which settings are not in force, unless a session of the pool has asked already. */
const asked = (session: Session, startup: StartupSettings, pooler: Pooler): Effect.Effect<void> => {
  const settings = Array.from(startup.uncertain)
  if (pooler.hasAskedForSettings || settings.length === 0) return Effect.void
  pooler.hasAskedForSettings = true
  return Effect.callback((resume) => {
    ask(session, settings, (ignored) => {
      pooler.ignoresSettings(ignored)
      resume(Effect.void)
    })
  })
}

/** Calls back with the names of the settings that are not in force; with none if the server does not say. */
const ask = (
  session: Session,
  settings: ReadonlyArray<readonly [name: string, value: string]>,
  done: (names: ReadonlyArray<string>) => void
): void => {
  const control = { operation: "the query that finds lost settings", sql: settings.map(question).join(";\n") }
  submitControl(session, control, (exit) => {
    const lost = Exit.isSuccess(exit) ? settings.filter((_, index) => exit.value[index]?.rowCount === 1) : []
    done(lost.map(([name]) => name))
  })
}

/**
 * Finds out whether a reset has taken settings of the startup away, as only a pooler lets it do. What the server does not
 * report is asked for after the first reset of a session.
 */
export const findLost = (session: Session, startup: StartupSettings, done: (isLost: boolean) => void): void => {
  const { pooler } = session.statements
  if (hasLostSettings(session)) return done(true)
  if (startup.hasBeenReset) return done(false)
  startup.hasBeenReset = true
  const settings = Array.from(startup.uncertain).filter(([name]) => !pooler.ignored.has(name))
  if (settings.length === 0) return done(false)
  ask(session, settings, (lost) => {
    if (lost.length > 0) pooler.losesSettings = true
    done(lost.length > 0)
  })
}

/** Selects one row if the setting comes from elsewhere, and is not what was configured. */
const question = ([name, value]: readonly [string, string]): string =>
  `SELECT 1 WHERE (pg_catalog.current_setting(${quoteText(name)}, true) OPERATOR(pg_catalog.=) ${quoteText(value)}) IS NOT TRUE
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_settings AS s
    WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) ${quoteText(name.toLowerCase())}
      AND s.source OPERATOR(pg_catalog.=) ANY (ARRAY['client', 'session']))`

const restored = (session: Session, startup: StartupSettings): Effect.Effect<void, PgError.PgError> =>
  Effect.callback((resume) => {
    restore(session, startup, (exit) => resume(Exit.asVoid(exit)))
  })

/** Sets the settings again that were lost, and takes what the server then reports for what is right. */
export const restore = (
  session: Session,
  startup: StartupSettings,
  done: (exit: Exit.Exit<unknown, PgError.PgError>) => void
): void =>
  submitControl(session, { operation: "the reset", sql: `SELECT ${startup.restoring.join(", ")}` }, (exit) => {
    startup.confirm(session.parameters)
    done(exit)
  })
