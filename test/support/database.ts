/**
 * Makes a database for each test file, so that files may run side by side. It is made from `template0`, which is as
 * empty as the server can make it, and dropped at the end, together with its open connections.
 *
 * The administration uses node-postgres, because it must work if the code under test does not.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import pg from "pg"
import { inject } from "vitest"
import type { PgServer } from "./postgres.ts"

export interface Database extends Omit<PgServer, "features"> {
  /** `postgres://user:password@host:port/database`, over TCP, without a setting for TLS. */
  readonly url: string
}

export interface CreatedDatabase extends Database {
  readonly drop: () => Promise<void>
}

/** Makes a fresh database on `server`, by default on the one that all tests share. */
export const createDatabase = async (server: PgServer = inject("postgres")): Promise<CreatedDatabase> => {
  const database = `test_${randomBytes(8).toString("hex")}`
  await administer(server, `CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`)
  const { features: _, ...address } = server
  const credentials = `${encodeURIComponent(server.user)}:${encodeURIComponent(server.password)}`
  return {
    ...address,
    database,
    url: `postgres://${credentials}@${server.host}:${server.port}/${database}`,
    drop: () => administer(server, `DROP DATABASE ${database} WITH (FORCE)`)
  }
}

/** Makes such a database until the scope closes. */
export const scopedDatabase: Effect.Effect<Database, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => createDatabase()),
  (database) => Effect.promise(database.drop)
)

/** The database of a test file: `layer(TestDatabase.layer, { excludeTestServices: true })("...", (it) => ...)`. */
export class TestDatabase extends Context.Service<TestDatabase, Database>()("effectpg/test/TestDatabase") {
  static readonly layer: Layer.Layer<TestDatabase> = Layer.effect(TestDatabase, scopedDatabase)
}

const administer = async ({ host, port, user, password, database }: PgServer, sql: string): Promise<void> => {
  const client = new pg.Client({ host, port, user, password, database })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
