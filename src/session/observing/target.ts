/** The server and the database of operations, which every span names. */
import type * as Tracer from "effect/Tracer"
import type { HostAddress, ResolvedConfig } from "../../PgConfig.ts"

export interface Target {
  readonly user: string
  readonly database: string
  readonly address: string
  readonly port: number | undefined
}

export const targetOf = (
  { database, user }: Pick<ResolvedConfig, "database" | "user">,
  host: HostAddress | undefined
): Target => ({
  user,
  database,
  address: host === undefined ? "" : host._tag === "Tcp" ? host.host : host.path,
  port: host?.port
})

export const describeTarget = (span: Tracer.Span, { address, database, port }: Target): void => {
  span.attribute("db.system.name", "postgresql")
  span.attribute("db.namespace", database)
  span.attribute("server.address", address)
  if (port !== undefined) span.attribute("server.port", port)
}
