/** Which database a command is about: `--url`, or else DATABASE_URL, or else the variables of libpq. */
import { Flag } from "effect/cli"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as PgConfig from "../../PgConfig.ts"

/** The flag of every command that connects. */
export const urlFlag: Flag.Flag<Option.Option<Redacted.Redacted>> = Flag.Redacted("url").pipe(
  Flag.withMetavar("postgres://..."),
  Flag.withDescription(
    "The database, as a URL or as key=value pairs. By default DATABASE_URL, and without that PGHOST, PGUSER and the " +
      "other variables of libpq"
  ),
  Flag.optional
)

/** The settings of a command's connection. Whatever the URL leaves out comes from the environment, as in libpq. */
export const settingsOf = (url: Option.Option<Redacted.Redacted>): PgConfig.Settings => {
  const chosen = Option.getOrUndefined(url) ?? fromEnvironment(process.env["DATABASE_URL"])
  return chosen === undefined ? {} : { url: chosen }
}

const fromEnvironment = (url: string | undefined): Redacted.Redacted | undefined =>
  url === undefined || url === "" ? undefined : Redacted.make(url)
