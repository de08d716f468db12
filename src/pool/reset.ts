/** The script that takes a session of a pool back to where its `init` left it; the next borrower's first write carries it. */
import * as Effect from "effect/Effect"
import type * as PgError from "../PgError.ts"
import { ownTupleRows, send } from "../session/request.ts"
import { RESET } from "../session/reset.ts"
import type { Session } from "../session/session.ts"
import { quoteText } from "../wire/sqlText.ts"

/** The settings that a session has made itself; its role is one that pg_settings does not show. */
const SETTINGS_MADE = `
  SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session'
  UNION ALL
  SELECT 'role', pg_catalog.current_setting('role') WHERE pg_catalog.current_setting('role') <> 'none'`

/** The script for a session whose settings, as they are now, are to survive. */
export const resetKeepingSettings = (session: Session): Effect.Effect<string, PgError.PgError> =>
  Effect.map(send(session, ownTupleRows(SETTINGS_MADE)), (settings) =>
    [
      RESET,
      ...settings.map(
        ([name, value]) => `SELECT set_config(${quoteText(String(name))}, ${quoteText(String(value))}, false)`
      )
    ].join("; ")
  )
