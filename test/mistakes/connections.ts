/** Mistakes with transactions, the pool, COPY, channels, cursors and settings. */
import { Config, ConfigProvider, Effect, Layer, Redacted, Stream } from "effect"
import * as PgClient from "../../src/PgClient.ts"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgPool from "../../src/PgPool.ts"
import { TestDatabase } from "../support/database.ts"
import { livePool, liveSettings } from "../support/live.ts"
import { js, type Mistake, SECRET } from "./mistake.ts"

const failing = "INSERT INTO books (id, title) VALUES (1, $1)"

export const transactions: ReadonlyArray<Mistake> = [
  {
    mistake: "a statement after one that has failed, in a transaction",
    call: (pg) =>
      pg.withTransaction(Effect.andThen(Effect.ignore(pg.execute(failing, [SECRET])), pg.fetch("SELECT * FROM books"))),
    tag: "InFailedSQLTransactionError",
    says: ["The transaction had already failed, with UniqueViolationError (23505)", failing, "savepoint"]
  },
  {
    mistake: "an error that is caught within a transaction",
    call: (pg) => pg.withTransaction(Effect.ignore(pg.execute(failing, [SECRET]))),
    tag: "TransactionRolledBackError",
    says: ["a statement failed, and the body caught the error", "catch it around a nested withTransaction"]
  },
  {
    mistake: "COMMIT in the body of withTransaction",
    call: (pg) => pg.withTransaction(pg.execute("COMMIT")),
    tag: "TransactionClosedError",
    says: ["SQL in its body ended it"]
  },
  {
    mistake: "a generator function instead of an Effect",
    call: (pg) => js(pg, "withTransaction", function* () {}),
    tag: "InvalidConfigError",
    says: ["an Effect, not a function"]
  },
  {
    mistake: "an async function for a transaction",
    call: (pg) => js(pg, "withTransaction", (async () => {})()),
    tag: "InvalidConfigError",
    says: ["an Effect, not a Promise"]
  },
  {
    mistake: "a misspelled isolation level",
    call: (pg) => js(pg, "withTransaction", Effect.void, { isolation: "serialisable" }),
    tag: "InvalidConfigError",
    says: ["isolation", "serializable"]
  },
  {
    mistake: "a misspelled option of a transaction",
    call: (pg) => js(pg, "withTransaction", Effect.void, { isolationLevel: "serializable" }),
    tag: "InvalidConfigError",
    says: ["is not a known option", "isolation"]
  },
  {
    mistake: "a number of retries",
    call: (pg) => js(pg, "withTransaction", Effect.void, { retry: 3 }),
    tag: "InvalidConfigError",
    says: ["retry", "a Schedule"]
  },
  {
    mistake: "options for a nested transaction",
    call: (pg) => pg.withTransaction(pg.withTransaction(Effect.void, { isolation: "serializable" })),
    tag: "InvalidConfigError",
    says: ["a savepoint, which takes no options"]
  },
  {
    mistake: "VACUUM in a transaction",
    call: (pg) => pg.withTransaction(pg.execute("VACUUM books")),
    tag: "ActiveSQLTransactionError",
    says: ["outside withTransaction"]
  }
]

export const pools: ReadonlyArray<Mistake> = [
  {
    mistake: "a call that takes longer than its timeout",
    call: (pg) => pg.fetch("SELECT pg_sleep(10), $1::text", [SECRET], { timeout: "50 millis" }),
    tag: "QueryTimeoutError",
    says: ["fetch did not end within 50 ms", "1 | SELECT pg_sleep(10), $1::text", "Raise the timeout"]
  },
  {
    mistake: "a connection that is held while another is asked for",
    call: () =>
      Effect.flatMap(livePool({ maxConnections: 1, acquireTimeout: "50 millis" }), (pool) =>
        pool.withConnection(() => pool.fetch("SELECT 1"))
      ),
    tag: "AcquireTimeoutError",
    says: ["no connection became available within 50 ms: 1 in use", "Within withConnection"]
  },
  {
    mistake: "a pool that is used after its scope",
    call: () => Effect.flatMap(Effect.scoped(livePool()), (pool) => pool.fetch("SELECT 1")),
    tag: "PoolClosedError",
    says: ["the pool is closed"]
  },
  {
    mistake: "a function that returns no Effect, for withConnection",
    call: (pg) => js(pg, "withConnection", async () => {}),
    tag: "InvalidConfigError",
    says: ["an Effect", "Promise"]
  }
]

export const copies: ReadonlyArray<Mistake> = [
  {
    mistake: "a schema in the name of a table",
    call: (pg) => pg.copyInRows({ table: "public.books" }, [[2, SECRET]]),
    tag: "UndefinedTableError",
    says: ['{ schema: "public", table: "books" }']
  },
  {
    mistake: "a schema in the name of a table that is copied out",
    call: (pg) => Stream.runDrain(pg.copyOut({ table: "public.books" })),
    tag: "UndefinedTableError",
    says: ['{ schema: "public", table: "books" }']
  },
  {
    mistake: "the name of a table instead of an object",
    call: (pg) => js(pg, "copyInRows", "books", [[2, SECRET]]),
    tag: "InvalidConfigError",
    says: ['{ table: "readings" }', "not a string"]
  },
  {
    mistake: "COPY FROM STDIN by execute",
    call: (pg) => pg.execute("COPY books FROM STDIN"),
    tag: "UnsupportedError",
    says: ["call copyIn"]
  },
  {
    mistake: "COPY TO STDOUT by fetch",
    call: (pg) => pg.fetch("COPY books TO STDOUT"),
    tag: "UnsupportedError",
    says: ["call copyOut"]
  },
  {
    mistake: "rows with too few values",
    call: (pg) => pg.copyInRows({ table: "books", columns: ["id", "title"] }, [[2]]),
    tag: "EncodeError",
    says: ["row 1", "2"]
  },
  {
    mistake: "a text for a number in a binary COPY",
    call: (pg) =>
      pg.copyInRows({ table: "books", columns: ["id", "title"] }, [["one", SECRET]], {
        format: "binary"
      }),
    tag: "EncodeError",
    says: ['column "id" of row 1 as int4', 'set format: "csv" to send strings']
  },
  {
    mistake: "an Effect in a row of a COPY",
    call: (pg) => pg.copyInRows({ table: "books", columns: ["id", "title"] }, [[Effect.succeed(2), SECRET]]),
    tag: "EncodeError",
    says: ["not an Effect", "yield*"]
  },
  {
    mistake: "an Effect instead of rows",
    call: (pg) => js(pg, "copyInRows", { table: "books" }, Effect.succeed([[2, SECRET]])),
    tag: "InvalidConfigError",
    says: ["rows", "an Iterable or a Stream, not an Effect"]
  },
  {
    mistake: "a misspelled option of COPY",
    call: (pg) => js(pg, "copyIn", { table: "books" }, [], { format: "csv", delimeter: ";" }),
    tag: "InvalidConfigError",
    says: ["did you mean delimiter?"]
  },
  {
    mistake: "a channel whose name is too long",
    call: (pg) => pg.listen("c".repeat(64)),
    tag: "EncodeError",
    says: ["PostgreSQL allows at most 63"]
  },
  {
    mistake: "pages of no rows",
    call: (pg) => Stream.runDrain(pg.stream("SELECT 1", [], { fetchSize: 0 })),
    tag: "InvalidConfigError",
    says: ["fetchSize", "a whole number from 1"]
  },
  {
    mistake: "a misspelled option of a cursor",
    call: (pg) => js(pg, "cursor", "SELECT 1", [], { scrol: true }),
    tag: "InvalidConfigError",
    says: ["did you mean scroll?"]
  }
]

const connect = (settings: Readonly<Record<string, unknown>>) => js(PgConnection, "make", settings)

export const settings: ReadonlyArray<Mistake> = [
  {
    mistake: "no DATABASE_URL for layerConfig",
    call: () =>
      Layer.build(PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({}))
      ),
    tag: "ConfigError",
    says: ["DATABASE_URL"]
  },
  {
    mistake: "no DATABASE_URL for a layer",
    call: () => Layer.build(PgClient.layer({ url: process.env["EFFECTPG_TEST_UNSET"] })),
    tag: "InvalidConfigError",
    says: ["url: is undefined", "check whether the environment variable is set"]
  },
  {
    mistake: "no DATABASE_URL within a Redacted",
    call: () => connect({ url: Redacted.make(process.env["EFFECTPG_TEST_UNSET"]) }),
    tag: "InvalidConfigError",
    says: ["url: must be a string, but is undefined", "check whether the environment variable is set"]
  },
  {
    mistake: "connectionString, as in node-postgres",
    call: () => connect({ connectionString: `postgres://ada:${SECRET}@localhost/app` }),
    tag: "InvalidConfigError",
    says: ["connectionString: is not a setting", "(set url)"]
  },
  {
    mistake: "max, as in node-postgres",
    call: () => js(PgPool, "make", { max: 10 }),
    tag: "InvalidConfigError",
    says: ["(set maxConnections)"]
  },
  {
    mistake: "ssl, as in node-postgres",
    call: () => connect({ ssl: { rejectUnauthorized: false } }),
    tag: "InvalidConfigError",
    says: ["(set sslMode, "]
  },
  {
    mistake: "a misspelled setting",
    call: () => js(PgPool, "make", { maxConections: 10 }),
    tag: "InvalidConfigError",
    says: ["did you mean maxConnections?"]
  },
  {
    mistake: "a port that is none",
    call: () => connect({ host: "localhost", port: "54x2" }),
    tag: "InvalidConfigError",
    says: ["port", "65535"]
  },
  {
    mistake: "the URL of another database",
    call: () => connect({ url: `mysql://ada:${SECRET}@localhost/app` }),
    tag: "InvalidConfigError",
    says: ["url", "postgres://"]
  },
  {
    mistake: "a misspelled key of a URL",
    call: () => connect({ url: `postgres://ada:${SECRET}@localhost/app?sslmod=require` }),
    tag: "InvalidConfigError",
    says: ["did you mean sslmode?"]
  },
  {
    mistake: "a setting of the server among the settings of the client",
    call: () => connect({ statement_timeout: "5s" }),
    tag: "InvalidConfigError",
    says: ['settings: { statement_timeout: "5s" }']
  },
  {
    mistake: "a duration in other words",
    call: () => connect({ connectTimeout: "5 sek" }),
    tag: "InvalidConfigError",
    says: ["connectTimeout", '"10 seconds"']
  },
  {
    mistake: "more idle connections than connections",
    call: () => js(PgPool, "make", { minConnections: 20, maxConnections: 10 }),
    tag: "InvalidConfigError",
    says: ["minConnections", "10"]
  },
  {
    mistake: "a port on which nothing listens",
    call: () => connect({ host: "localhost", port: 1, password: Redacted.make(SECRET) }),
    tag: "ConnectError",
    says: ["cannot connect to localhost:1", "ECONNREFUSED"]
  },
  {
    mistake: "a database that there is not",
    call: () => Effect.flatMap(liveSettings(), (known) => connect({ ...known, database: "no_such_database" })),
    tag: "InvalidCatalogNameError",
    says: ["no_such_database"]
  },
  {
    mistake: "a wrong password",
    call: () => Effect.flatMap(TestDatabase, ({ url }) => connect({ url, password: Redacted.make(SECRET) })),
    tag: "InvalidPasswordError",
    says: ["password authentication failed"]
  }
]
