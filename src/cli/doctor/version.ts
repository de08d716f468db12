/** Which releases of PostgreSQL still get fixes. */
import { type Finding, ok, warning } from "./finding.ts"

/** When the last fixes come out, as the PostgreSQL project has announced it. */
const LAST_FIXES: ReadonlyMap<number, string> = new Map([
  [13, "2025-11-13"],
  [14, "2026-11-12"],
  [15, "2027-11-11"],
  [16, "2028-11-09"],
  [17, "2029-11-08"],
  [18, "2030-11-14"]
])
const OLDEST_KNOWN = 13
const NEWEST = 18

export const judgeVersion = (version: string, now: Date): Finding => {
  const major = Number.parseInt(version, 10)
  const last = LAST_FIXES.get(major)
  const until = last ?? (major < OLDEST_KNOWN ? "some time ago" : undefined)
  const isOver = major < OLDEST_KNOWN || (last !== undefined && new Date(last) < now)
  return isOver
    ? warning(
        "server",
        `PostgreSQL ${version}, whose last fixes came ${until}`,
        `Upgrade to a later release, such as ${NEWEST}.`
      )
    : ok("server", `PostgreSQL ${version}`)
}
