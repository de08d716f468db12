/**
 * Lists everything that commits by itself, by every call that can run it, and how to check whether it has. The tables
 * are complete: a new call, or a new statement that commits by itself, has cases here or a reason why it has none.
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgError from "../../src/PgError.ts"
import type { PgStatement } from "../../src/PgStatement.ts"
import * as PgTypes from "../../src/PgTypes.ts"

type Queryable = PgConnection.Queryable
type Act = (pg: Queryable, id: number) => Effect.Effect<unknown, PgError.PgError>
type Sql = (id: number) => string

export interface Case {
  readonly name: string
  /** Makes what the case needs; one statement each. */
  readonly setUp: Sql | undefined
  /** The call, with an id of its own. */
  readonly run: Act
  /** Reads whether the work is there, as one boolean. */
  readonly isDone: Sql
  /** Removes what would disturb other cases; one statement each, each of which may fail. */
  readonly tearDown: (id: number) => ReadonlyArray<string>
  /** Whether the statement has run before on its connection, which then knows it. */
  readonly isWarm: boolean
  /** Whether a missing end is not reported, because the end of a scope cannot fail. */
  readonly endsUnheard: boolean
  /** Whether only the statement differs from another case. */
  readonly isVariant: boolean
}

export const CREATE_EFFECTS = [
  "CREATE TABLE effects (id int4, n int4)",
  "CREATE PROCEDURE commits(id int4) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO effects VALUES (id, 1); COMMIT; END $$",
  "CREATE TABLE nodes_before (id int4, node oid)"
]

const isStored: Sql = (id) => `SELECT EXISTS (SELECT FROM effects WHERE id = ${id})`

type Rest = Partial<Omit<Case, "name" | "run">>

const nothing = (): ReadonlyArray<string> => []

const once = (name: string, run: Act, rest: Rest = {}): Case => ({
  name,
  run,
  setUp: undefined,
  isDone: isStored,
  tearDown: nothing,
  isWarm: false,
  endsUnheard: false,
  isVariant: false,
  ...rest
})

const warm = (name: string, run: Act, rest: Rest = {}): Case => once(`${name}, known`, run, { ...rest, isWarm: true })

const INSERT = "INSERT INTO effects VALUES ($1, 1)"
const RETURNING = `${INSERT} RETURNING id`
/** A text that no connection knows yet. */
const unknown = (sql: string, id: number): string => `${sql} /* ${id} */`

/** Both cases: with a statement that the connection knows, and with one that it does not. */
const both = (name: string, sql: string, run: (pg: Queryable, sql: string, id: number) => ReturnType<Act>) => [
  once(name, (pg, id) => run(pg, unknown(sql, id), id)),
  warm(name, (pg, id) => run(pg, sql, id))
]

/** Its result has an unknown type, which shows only when the row has come. */
const newType: Rest = { setUp: (id) => `CREATE TYPE mood_${id} AS ENUM ('a')` }
const returningNew: Sql = (id) => `INSERT INTO effects VALUES (${id}, 1) RETURNING ROW('a'::mood_${id})`
const returningNewMany: Sql = (id) => `${INSERT} RETURNING ROW('a'::mood_${id})`

const rows = (id: number): ReadonlyArray<ReadonlyArray<unknown>> => [[id], [id], [id]]

/** The first failure among results that each stand for themselves. */
const strict = (results: ReadonlyArray<PgConnection.BarrierResult>, at: number) => {
  const result = results[at]
  return result === undefined ? Effect.die(new Error("no result")) : Effect.fromResult(result)
}

// ------------------------------------------------------------------------------------- what commits by itself

/** By the first word of the statement: statements that may outlast their error, and how to see that they were done. */
interface Utility {
  readonly sql: Sql
  readonly setUp?: Sql
  readonly isDone?: Sql
  readonly tearDown?: (id: number) => ReadonlyArray<string>
}

const tableOf: Sql = (id) => `CREATE TABLE t_${id} AS SELECT 1 AS n`
const dropTable = (id: number): ReadonlyArray<string> => [`DROP TABLE t_${id}`]
const isVacuumed: Sql = (id) => `SELECT reltuples >= 0 FROM pg_class WHERE relname = 't_${id}'`
const indexed: Sql = (id) =>
  `DO 'BEGIN CREATE TABLE t_${id} AS SELECT 1 AS n; CREATE INDEX i_${id} ON t_${id} (n); ` +
  `INSERT INTO nodes_before SELECT ${id}, relfilenode FROM pg_class WHERE relname = ''i_${id}''; END'`
const isRewritten: Sql = (id) =>
  `SELECT relfilenode <> (SELECT node FROM nodes_before WHERE id = ${id}) FROM pg_class WHERE relname = 'i_${id}'`
const exists = (relation: string): string => `SELECT to_regclass('${relation}') IS NOT NULL`
const prepared: Sql = (id) => `BEGIN; INSERT INTO effects VALUES (${id}, 1); PREPARE TRANSACTION 'audit_${id}'`
const isEnded: Sql = (id) => `SELECT NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE gid = 'audit_${id}')`
const forget = (id: number): ReadonlyArray<string> => [`ROLLBACK PREPARED 'audit_${id}'`]

/** A reason why nothing can be seen of it, or why it cannot be tried on a server that others use. */
export const utilities: Readonly<Record<string, ReadonlyArray<Utility> | string>> = {
  alter: "ALTER SYSTEM and ALTER DATABASE change the server of all tests",
  analyse: [{ setUp: tableOf, sql: (id) => `ANALYSE t_${id}`, isDone: isVacuumed, tearDown: dropTable }],
  analyze: [{ setUp: tableOf, sql: (id) => `ANALYZE t_${id}`, isDone: isVacuumed, tearDown: dropTable }],
  call: [{ sql: (id) => `CALL commits(${id})` }],
  checkpoint: "nothing of the database is other after it",
  cluster: [{ setUp: indexed, sql: (id) => `CLUSTER t_${id} USING i_${id}`, isDone: isRewritten, tearDown: dropTable }],
  commit: [{ setUp: prepared, sql: (id) => `COMMIT PREPARED 'audit_${id}'`, tearDown: forget }],
  copy: "what it leaves is a file of the server",
  create: [
    {
      setUp: tableOf,
      sql: (id) => `CREATE INDEX CONCURRENTLY i_${id} ON t_${id} (n)`,
      isDone: (id) => exists(`i_${id}`),
      tearDown: dropTable
    },
    {
      sql: (id) => `CREATE DATABASE audit_${id} TEMPLATE template0`,
      isDone: (id) => `SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'audit_${id}')`,
      tearDown: (id) => [`DROP DATABASE audit_${id}`]
    }
  ],
  discard: "only its own session is other after it",
  do: [{ sql: (id) => `DO 'BEGIN INSERT INTO effects VALUES (${id}, 1); COMMIT; END'` }],
  drop: [
    {
      setUp: indexed,
      sql: (id) => `DROP INDEX CONCURRENTLY i_${id}`,
      isDone: (id) => `SELECT to_regclass('i_${id}') IS NULL`,
      tearDown: dropTable
    }
  ],
  load: "only its own session is other after it",
  reindex: [
    { setUp: indexed, sql: (id) => `REINDEX TABLE t_${id}`, isDone: isRewritten, tearDown: dropTable },
    { setUp: indexed, sql: (id) => `REINDEX TABLE CONCURRENTLY t_${id}`, isDone: isRewritten, tearDown: dropTable }
  ],
  repack: "PostgreSQL 19 has it",
  rollback: [{ setUp: prepared, sql: (id) => `ROLLBACK PREPARED 'audit_${id}'`, isDone: isEnded, tearDown: forget }],
  vacuum: [{ setUp: tableOf, sql: (id) => `VACUUM t_${id}`, isDone: isVacuumed, tearDown: dropTable }]
}

const ofUtilities = (verb: string, run: (pg: Queryable, sql: string) => ReturnType<Act>): ReadonlyArray<Case> =>
  Object.values(utilities).flatMap((given) =>
    typeof given === "string"
      ? []
      : given.map(({ isDone = isStored, setUp, sql, tearDown = nothing }) =>
          once(`${verb} of ${sql(0)}`, (pg, id) => run(pg, sql(id)), { setUp, isDone, tearDown, isVariant: true })
        )
  )

// ------------------------------------------------------------------------------------------------ every call

const inPrepared =
  (sql: string, use: (statement: PgStatement, id: number) => ReturnType<Act>): Act =>
  (pg, id) =>
    Effect.scoped(Effect.flatMap(pg.prepare(sql), (statement) => use(statement, id)))

const NOT_A_CALL = "it asks for nothing"

/** The calls on a statement that is prepared for a scope. */
const ofStatement = {
  sql: NOT_A_CALL,
  name: NOT_A_CALL,
  parameters: NOT_A_CALL,
  columns: NOT_A_CALL,
  explain: "it undoes what it has run",
  execute: [
    once(
      "execute of a statement",
      inPrepared(INSERT, (statement, id) => statement.execute([id]))
    )
  ],
  fetch: [
    once(
      "fetch of a statement",
      inPrepared(RETURNING, (statement, id) => statement.fetch([id]))
    )
  ],
  fetchTuples: [
    once(
      "fetchTuples of a statement",
      inPrepared(RETURNING, (statement, id) => statement.fetchTuples([id]))
    )
  ],
  fetchRow: [
    once(
      "fetchRow of a statement",
      inPrepared(RETURNING, (statement, id) => statement.fetchRow([id]))
    )
  ],
  fetchOne: [
    once(
      "fetchOne of a statement",
      inPrepared(RETURNING, (statement, id) => statement.fetchOne([id]))
    )
  ],
  fetchValue: [
    once(
      "fetchValue of a statement",
      inPrepared(RETURNING, (statement, id) => statement.fetchValue([id]))
    )
  ],
  executeMany: [
    once(
      "executeMany of a statement",
      inPrepared(INSERT, (statement, id) => statement.executeMany(rows(id)))
    )
  ],
  fetchMany: [
    once(
      "fetchMany of a statement",
      inPrepared(RETURNING, (statement, id) => statement.fetchMany(rows(id)))
    )
  ],
  stream: [
    once(
      "stream of a statement",
      inPrepared(RETURNING, (statement, id) => Stream.runDrain(statement.stream([id])))
    )
  ],
  cursor: [
    once(
      "cursor of a statement",
      inPrepared(RETURNING, (statement, id) =>
        Effect.scoped(Effect.flatMap(statement.cursor([id]), (cursor) => cursor.fetch(10)))
      ),
      { endsUnheard: true }
    )
  ]
} satisfies Record<keyof PgStatement, ReadonlyArray<Case> | string>

const casesIn = (table: Readonly<Record<string, ReadonlyArray<Case> | string>>): ReadonlyArray<Case> =>
  Object.values(table).flatMap((given) => (typeof given === "string" ? [] : given))

const insert: Act = (pg, id) => pg.execute(INSERT, [id])

/** A body that goes on whatever its calls end with. */
const whatever = (effect: Effect.Effect<unknown, PgError.PgError>) => Effect.exit(effect)

const calls = {
  execute: [
    ...both("execute", INSERT, (pg, sql, id) => pg.execute(sql, [id])),
    once("execute with typed values", (pg, id) => pg.execute(unknown(INSERT, id), [PgTypes.int4(id)])),
    once("execute that returns a new type", (pg, id) => pg.execute(returningNew(id)), newType),
    once("execute of CREATE TABLE", (pg, id) => pg.execute(`CREATE TABLE t_${id} ()`), {
      isDone: (id) => exists(`t_${id}`),
      tearDown: dropTable
    }),
    ...ofUtilities("execute", (pg, sql) => pg.execute(sql))
  ],
  fetch: [
    ...both("fetch", RETURNING, (pg, sql, id) => pg.fetch(sql, [id])),
    once("fetch of a new type in a record", (pg, id) => pg.fetch(returningNew(id)), newType),
    once(
      "fetch of a new type",
      (pg, id) => pg.fetch(`INSERT INTO effects VALUES (${id}, 1) RETURNING 'a'::mood_${id}`),
      newType
    ),
    once(
      "fetch of a new type in a record, with typed values",
      (pg, id) => pg.fetch(returningNewMany(id), [PgTypes.int4(id)]),
      newType
    ),
    once(
      "fetch of a new type, with typed values",
      (pg, id) => pg.fetch(`${INSERT} RETURNING 'a'::mood_${id}`, [PgTypes.int4(id)]),
      newType
    )
  ],
  fetchTuples: both("fetchTuples", RETURNING, (pg, sql, id) => pg.fetchTuples(sql, [id])),
  fetchRow: both("fetchRow", RETURNING, (pg, sql, id) => pg.fetchRow(sql, [id])),
  fetchOne: both("fetchOne", RETURNING, (pg, sql, id) => pg.fetchOne(sql, [id])),
  fetchValue: both("fetchValue", RETURNING, (pg, sql, id) => pg.fetchValue(sql, [id])),
  executeScript: [
    once("executeScript", (pg, id) => pg.executeScript(`INSERT INTO effects VALUES (${id}, 1)`)),
    once("executeScript of two", (pg, id) =>
      pg.executeScript(`INSERT INTO effects VALUES (${id}, 1); INSERT INTO effects VALUES (${id}, 2)`)
    ),
    once("executeScript that commits in the middle", (pg, id) =>
      pg.executeScript(`INSERT INTO effects VALUES (${id}, 1); COMMIT; INSERT INTO effects VALUES (${id}, 2)`)
    ),
    once("executeScript of a transaction", (pg, id) =>
      pg.executeScript(`BEGIN; INSERT INTO effects VALUES (${id}, 1); COMMIT; SELECT 1`)
    ),
    ...ofUtilities("executeScript", (pg, sql) => pg.executeScript(sql)).filter(({ name }) => !name.includes("DATABASE"))
  ],
  copyIn: [
    once("copyIn", (pg, id) => pg.copyIn({ table: "effects" }, [Buffer.from(`${id}\t1\n`)])),
    once("copyIn of a stream", (pg, id) => pg.copyIn({ table: "effects" }, Stream.make(Buffer.from(`${id}\t1\n`))))
  ],
  copyInRows: [
    once("copyInRows", (pg, id) => pg.copyInRows({ table: "effects" }, [[id, 1]])),
    once("copyInRows of a stream", (pg, id) => pg.copyInRows({ table: "effects" }, Stream.make([id, 1])))
  ],
  copyOut: [
    once("copyOut", (pg, id) =>
      Stream.runDrain(pg.copyOut({ query: `INSERT INTO effects VALUES (${id}, 1) RETURNING n` }))
    )
  ],
  copyOutRows: [
    once("copyOutRows", (pg, id) =>
      Stream.runDrain(pg.copyOutRows({ query: `INSERT INTO effects VALUES (${id}, 1) RETURNING n` }))
    )
  ],
  executeMany: [
    ...both("executeMany", INSERT, (pg, sql, id) => pg.executeMany(sql, rows(id))),
    once("executeMany of a stream", (pg, id) => pg.executeMany(INSERT, Stream.fromIterable(rows(id)))),
    // A pipeline refuses the second of two statements that commit.
    warm("executeMany of CALL", (pg, id) => pg.executeMany("CALL commits($1)", [[id]]))
  ],
  fetchMany: [
    ...both("fetchMany", RETURNING, (pg, sql, id) => pg.fetchMany(sql, rows(id))),
    once("fetchMany of a stream", (pg, id) => pg.fetchMany(RETURNING, Stream.fromIterable(rows(id)))),
    once("fetchMany of a new type in a record", (pg, id) => pg.fetchMany(returningNewMany(id), rows(id)), newType)
  ],
  batch: [
    ...both("batch", INSERT, (pg, sql, id) =>
      pg.batch([
        { sql: "SELECT 1", params: [] },
        { sql, params: [id] },
        { sql: "SELECT 2", params: [] }
      ])
    ),
    ...both("batch with barriers", INSERT, (pg, sql, id) =>
      Effect.flatMap(
        pg.batch([{ sql: "SELECT 1" }, { sql, params: [id] }, { sql: "SELECT 2" }], { errorBarriers: true }),
        (results) => strict(results, 1)
      )
    ),
    once(
      "batch of a new type in a record",
      (pg, id) => pg.batch([{ sql: returningNew(id) }, { sql: "SELECT 1" }]),
      newType
    ),
    once("batch with COMMIT in the middle", (pg, id) =>
      pg.batch([{ sql: "BEGIN" }, { sql: INSERT, params: [id] }, { sql: "COMMIT" }, { sql: "SELECT 1" }])
    ),
    once("batch of DO", (pg, id) =>
      pg.batch([{ sql: `DO 'BEGIN INSERT INTO effects VALUES (${id}, 1); COMMIT; END'` }])
    ),
    once("batch of CALL and more", (pg, id) =>
      pg.batch([{ sql: "CALL commits($1)", params: [id] }, { sql: "SELECT 1" }])
    )
  ],
  stream: [
    ...both("stream", RETURNING, (pg, sql, id) => Stream.runDrain(pg.stream(sql, [id]))),
    once("stream by pages", (pg, id) =>
      Stream.runDrain(
        pg.stream("INSERT INTO effects SELECT $1, generate_series(1, 5) RETURNING n", [id], { fetchSize: 2 })
      )
    )
  ],
  cursor: [
    once(
      "cursor",
      (pg, id) => Effect.scoped(Effect.flatMap(pg.cursor(RETURNING, [id]), (cursor) => cursor.fetch(10))),
      { endsUnheard: true }
    ),
    once("cursor in a transaction", (pg, id) =>
      pg.withTransaction(Effect.scoped(Effect.flatMap(pg.cursor(RETURNING, [id]), (cursor) => cursor.fetch(10))))
    )
  ],
  prepare: casesIn(ofStatement),
  notify: "a notification leaves nothing behind",
  withTransaction: [
    once("withTransaction", (pg, id) => pg.withTransaction(insert(pg, id))),
    once("withTransaction, tracked", (pg, id) => pg.withTransaction(insert(pg, id), { trackOutcome: true })),
    once("withTransaction in another", (pg, id) => pg.withTransaction(pg.withTransaction(insert(pg, id)))),
    once("withTransaction with a body that goes on", (pg, id) => pg.withTransaction(whatever(insert(pg, id)))),
    once("withTransaction that is committed by its body in SQL", (pg, id) =>
      pg.withTransaction(Effect.andThen(insert(pg, id), whatever(pg.execute("COMMIT"))))
    ),
    once("withTransaction that is committed by its body in a script", (pg, id) =>
      pg.withTransaction(whatever(pg.executeScript(`INSERT INTO effects VALUES (${id}, 1); COMMIT; SELECT 1`)))
    ),
    once("withTransaction that is committed by its body in SQL, and asked for more", (pg, id) =>
      pg.withTransaction(
        Effect.gen(function* () {
          yield* insert(pg, id)
          yield* whatever(pg.execute("COMMIT"))
          yield* pg.fetch("SELECT 1")
        })
      )
    ),
    once("withTransaction that is rolled back by its body in SQL, with more behind that", (pg, id) =>
      pg.withTransaction(
        // Nothing is written behind the first statement before BEGIN is answered.
        Effect.andThen(
          pg.fetch("SELECT 1"),
          Effect.all([whatever(pg.execute("ROLLBACK")), whatever(insert(pg, id))], { concurrency: "unbounded" })
        )
      )
    )
  ],
  begin: [
    once("begin", (pg, id) =>
      Effect.scoped(
        Effect.gen(function* () {
          const transaction = yield* pg.begin()
          yield* insert(transaction, id)
          yield* transaction.commit
        })
      )
    )
  ],
  withAdvisoryLock: [once("withAdvisoryLock", (pg, id) => pg.withAdvisoryLock(id, insert(pg, id)))],
  withAdvisoryLockIfAvailable: [
    once("withAdvisoryLockIfAvailable", (pg, id) => pg.withAdvisoryLockIfAvailable(id, insert(pg, id)))
  ],
  afterCommit: NOT_A_CALL,
  afterRollback: NOT_A_CALL,
  reloadSchemaState: NOT_A_CALL
} satisfies Record<keyof Queryable, ReadonlyArray<Case> | string>

export const cases: ReadonlyArray<Case> = casesIn(calls)
