/** The version of a server, from the parameter `server_version` that it reports at startup. */

/**
 * The version of a server, in numbers and as it says it.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerVersion {
  /** 18 for PostgreSQL 18.4. */
  readonly major: number
  /** 4 for PostgreSQL 18.4; 0 for a beta. */
  readonly minor: number
  /** All that the server says: `15.18 (Debian 15.18-0+deb12u1)`, `19beta1`. */
  readonly text: string
}

/**
 * Servers that are made of PostgreSQL may say so before the number, as `version()` does. A number of another product is
 * not one of PostgreSQL, and says nothing of what the server can do.
 */
const VERSION =
  /^\s*(?:(?:Postgre\S*|EnterpriseDB|EDB|Greenplum)\s+(?:Database\s+)?)?v?(\d{1,4})(?!\d)(?:\.(\d{1,6}))?/i

/** What cannot be read counts as 0, for servers that speak the protocol and number themselves otherwise. */
export const serverVersionOf = (parameters: ReadonlyMap<string, string>): ServerVersion => {
  const text = parameters.get("server_version") ?? ""
  const [, major = "0", minor = "0"] = VERSION.exec(text) ?? []
  return { major: Number(major), minor: Number(minor), text }
}
