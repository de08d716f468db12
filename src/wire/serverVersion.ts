/** The version of a server, from the parameter `server_version` that it reports at startup. */

/**
 * The version of a server, as numbers and as the text that the server reports.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerVersion {
  /** 18 for PostgreSQL 18.4. */
  readonly major: number
  /** 4 for PostgreSQL 18.4; 0 for a beta. */
  readonly minor: number
  /** The whole text of the server: `15.18 (Debian 15.18-0+deb12u1)`, `19beta1`. */
  readonly text: string
}

/**
 * Matches a version of PostgreSQL. A derived server may put `PostgreSQL` before the number, as `version()` does. The
 * number of another product does not match, because it does not show what the server can do.
 */
const VERSION =
  /^\s*(?:(?:Postgre\S*|EnterpriseDB|EDB|Greenplum)\s+(?:Database\s+)?)?v?(\d{1,4})(?!\d)(?:\.(\d{1,6}))?/i

/** Reads the version. It is 0 for a server that speaks the protocol but numbers its versions differently. */
export const serverVersionOf = (parameters: ReadonlyMap<string, string>): ServerVersion => {
  const text = parameters.get("server_version") ?? ""
  const [, major = "0", minor = "0"] = VERSION.exec(text) ?? []
  return { major: Number(major), minor: Number(minor), text }
}
