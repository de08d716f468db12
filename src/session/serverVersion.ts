/** The version of a server, from the parameter `server_version` that it reports at startup. */

/** @since 0.1.0 */
export interface ServerVersion {
  /** 18 for PostgreSQL 18.4. */
  readonly major: number
  /** 4 for PostgreSQL 18.4; 0 for a beta. */
  readonly minor: number
  /** All that the server says: `15.18 (Debian 15.18-0+deb12u1)`, `19beta1`. */
  readonly text: string
}

/** What cannot be read counts as 0, for servers that speak the protocol and number themselves otherwise. */
export const serverVersionOf = (parameters: ReadonlyMap<string, string>): ServerVersion => {
  const text = parameters.get("server_version") ?? ""
  const [, major = "0", minor = "0"] = /^(\d+)(?:\.(\d+))?/.exec(text) ?? []
  return { major: Number(major), minor: Number(minor), text }
}
