/**
 * Tests the outcome of everything that can fail while the connection goes on: `unknown` if any of the work is there,
 * and `none` only if the call is known to have done nothing.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as PgError from "../../src/PgError.ts"
import type * as PgConnection from "../../src/PgConnection.ts"
import { TestDatabase } from "../support/database.ts"
import { assertHealthy, liveConnection, liveSettings, refusalOf, valueOf } from "../support/live.ts"
import * as PgPool from "../../src/PgPool.ts"

type Call = (pg: PgConnection.Queryable, id: number) => Effect.Effect<unknown, PgError.PgError>

interface Case {
  readonly name: string
  readonly call: Call
  readonly says: PgError.Outcome
  /** Whether any of the work is there. */
  readonly isDone: boolean
  /** The expected error, if another error would have the same outcome. */
  readonly tag?: PgError.PgError["_tag"]
  /** Where else to look than in the table. */
  readonly look?: (id: number) => string
  /** Runs before the call. */
  readonly before?: (id: number) => string
}

const SCHEMA = [
  "CREATE TABLE effects (id int4, n int4)",
  "CREATE TABLE strict (id int4, n int4 UNIQUE DEFERRABLE INITIALLY DEFERRED)",
  "INSERT INTO strict VALUES (0, 0)",
  `CREATE PROCEDURE commits_and_fails(id int4) LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO effects VALUES (id, 1); COMMIT; RAISE division_by_zero; END $$`,
  `CREATE PROCEDURE commits(id int4) LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO effects VALUES (id, 1); COMMIT; END $$`
]

const INSERT = "INSERT INTO effects VALUES ($1, 1)"
const RETURNING = `${INSERT} RETURNING n`
const insert = (id: number): string => `INSERT INTO effects VALUES (${id}, 1)`
const FAILS = "SELECT 1 / 0"
const doThat = (id: number): string => `DO 'BEGIN ${insert(id)}; COMMIT; RAISE division_by_zero; END'`
const isUnlike = Schema.Struct({ n: Schema.String })
/** This is not an int4. */
const UNSENDABLE = 2 ** 40
/** More than is written at once. */
const manyThen = (id: number, last: ReadonlyArray<unknown>) => [
  ...Array.from({ length: 10_000 }, (): ReadonlyArray<unknown> => [id, 1]),
  last
]
const PAIRS = "INSERT INTO effects VALUES ($1, 10 / $2::int4)"
const invalidIndex = (id: number): string => `SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'i_${id}')`
const doubled = (id: number): string => `CREATE TABLE t_${id} AS SELECT 1 AS n FROM generate_series(1, 2)`
const indexing = (id: number): string => `CREATE UNIQUE INDEX CONCURRENTLY i_${id} ON t_${id} (n)`
const isStrict = (id: number): string => `SELECT EXISTS (SELECT FROM strict WHERE id = ${id})`

const stays = (name: string, call: Call, rest: Partial<Case> = {}): Case => ({
  name,
  call,
  says: "unknown",
  isDone: true,
  ...rest
})
const isGone = (name: string, call: Call, rest: Partial<Case> = {}): Case => ({
  name,
  call,
  says: "none",
  isDone: false,
  ...rest
})

const inSql = (pg: PgConnection.Queryable, call: Effect.Effect<unknown, PgError.PgError>) =>
  Effect.andThen(pg.executeScript("BEGIN"), call)

const cases: ReadonlyArray<Case> = [
  // Statements that commit while they run.
  stays("CALL", (pg, id) => pg.execute("CALL commits_and_fails($1)", [id])),
  stays("DO", (pg, id) => pg.execute(doThat(id))),
  stays("CALL as a script", (pg, id) => pg.executeScript(`CALL commits_and_fails(${id})`)),
  stays("DO as a script", (pg, id) => pg.executeScript(doThat(id))),
  stays("a script that commits in the middle", (pg, id) => pg.executeScript(`${insert(id)}; COMMIT; ${FAILS}`)),
  stays("a script of a transaction and more", (pg, id) => pg.executeScript(`BEGIN; ${insert(id)}; COMMIT; ${FAILS}`)),
  stays("a script that commits, and a COPY", (pg, id) =>
    pg.executeScript(`${insert(id)}; COMMIT; COPY effects FROM STDIN`)
  ),
  stays("CREATE INDEX CONCURRENTLY", (pg, id) => pg.execute(indexing(id)), { before: doubled, look: invalidIndex }),
  stays("CREATE INDEX CONCURRENTLY as a script", (pg, id) => pg.executeScript(indexing(id)), {
    before: doubled,
    look: invalidIndex
  }),
  stays("CREATE INDEX CONCURRENTLY in a batch", (pg, id) => pg.batch([{ sql: indexing(id) }, { sql: "SELECT 1" }]), {
    before: doubled,
    look: invalidIndex
  }),
  stays("CALL in a batch, before what fails", (pg, id) =>
    pg.batch([{ sql: "CALL commits($1)", params: [id] }, { sql: FAILS }])
  ),
  stays("executeMany of CALL", (pg, id) => pg.executeMany("CALL commits_and_fails($1)", [[id], [id]])),
  stays("fetchMany of CALL", (pg, id) => pg.fetchMany("CALL commits_and_fails($1)", [[id], [id]])),
  // Requests that have ended the transaction in which they began.
  stays("ROLLBACK and CALL in a batch", (pg, id) =>
    inSql(pg, pg.batch([{ sql: "ROLLBACK" }, { sql: "CALL commits_and_fails($1)", params: [id] }]))
  ),
  stays("COMMIT in a batch, before what fails", (pg, id) =>
    inSql(pg, pg.batch([{ sql: insert(id) }, { sql: "COMMIT" }, { sql: FAILS }]))
  ),
  stays("COMMIT in a script, before what fails", (pg, id) =>
    inSql(pg, pg.executeScript(`${insert(id)}; COMMIT; ${FAILS}`))
  ),
  stays("withTransaction whose body has committed", (pg, id) =>
    pg.withTransaction(Effect.andThen(pg.execute(INSERT, [id]), pg.execute("COMMIT")))
  ),
  stays("withTransaction whose body has committed and goes on", (pg, id) =>
    pg.withTransaction(
      Effect.andThen(pg.execute(INSERT, [id]), Effect.andThen(pg.execute("COMMIT"), pg.execute("SELECT 1")))
    )
  ),
  // Statements that have run, and whose answer cannot be used.
  stays("a row that its schema does not take", (pg, id) => pg.fetch(RETURNING, [id], { row: isUnlike })),
  stays("rows that their schema does not take", (pg, id) => pg.fetchMany(RETURNING, [[id], [id]], { row: isUnlike })),
  stays("a column that is not there", (pg, id) => pg.fetchValue(RETURNING, [id], { column: "m" })),
  stays("more than one row", (pg, id) =>
    pg.fetchOne("INSERT INTO effects SELECT $1, generate_series(1, 3) RETURNING n", [id])
  ),
  stays("no row", (pg, id) => pg.fetchOne(`WITH done AS (${RETURNING}) SELECT * FROM done WHERE n = 2`, [id])),
  stays("COPY out as a statement", (pg, id) => pg.execute(`COPY (${insert(id)} RETURNING n) TO STDOUT`)),
  stays("an empty statement behind another", (pg, id) => pg.batch([{ sql: INSERT, params: [id] }, { sql: "" }])),
  stays("an empty statement before another", (pg, id) => pg.batch([{ sql: "" }, { sql: INSERT, params: [id] }])),
  // Calls that have not been begun.
  isGone("an empty statement", (pg) => pg.execute("")),
  isGone("a batch of an empty statement", (pg) => pg.batch([{ sql: "" }])),
  isGone("a batch of a statement that is none", (pg, id) =>
    pg.batch([{ sql: INSERT, params: [id] }, { sql: "SELEC 1" }])
  ),
  isGone(
    "a batch with a value that cannot be sent",
    (pg, id) =>
      pg.batch([
        { sql: INSERT, params: [id] },
        { sql: INSERT, params: [UNSENDABLE] }
      ]),
    { tag: "EncodeError" }
  ),
  isGone(
    "a batch with CALL and a value that cannot be sent",
    (pg, id) =>
      pg.batch([
        { sql: "CALL commits($1)", params: [id] },
        { sql: INSERT, params: [UNSENDABLE] }
      ]),
    { tag: "EncodeError" }
  ),
  isGone("a batch with too few values", (pg, id) => pg.batch([{ sql: INSERT, params: [id] }, { sql: INSERT }])),
  isGone(
    "executeMany of CALL with a value that cannot be sent",
    (pg, id) => pg.executeMany("CALL commits($1)", [[id], [UNSENDABLE]]),
    { tag: "EncodeError" }
  ),
  isGone(
    "executeMany of CALL with a late value that cannot be sent",
    (pg, id) =>
      pg.executeMany("CALL commits($1)", [
        ...Array.from({ length: 10_000 }, (): ReadonlyArray<unknown> => [id]),
        [UNSENDABLE]
      ]),
    { tag: "EncodeError" }
  ),
  isGone("COPY in as a statement", (pg) => pg.execute("COPY effects FROM STDIN")),
  isGone("COPY in behind a statement of a batch", (pg, id) =>
    pg.batch([{ sql: INSERT, params: [id] }, { sql: "COPY effects FROM STDIN" }])
  ),
  // Work that is rolled back.
  isGone("a statement", (pg, id) => pg.execute("INSERT INTO effects SELECT $1, 1 / 0", [id])),
  isGone("a statement that fails at its commit", (pg, id) => pg.execute("INSERT INTO strict VALUES ($1, 0)", [id]), {
    look: isStrict
  }),
  isGone(
    "rows that fail at their commit",
    (pg, id) => pg.fetch("INSERT INTO strict VALUES ($1, 0) RETURNING n", [id]),
    {
      look: isStrict
    }
  ),
  isGone("a script that fails at its commit", (pg, id) => pg.executeScript(`INSERT INTO strict VALUES (${id}, 0)`), {
    look: isStrict
  }),
  isGone(
    "withTransaction that fails at its commit",
    (pg, id) => pg.withTransaction(pg.execute("INSERT INTO strict VALUES ($1, 0)", [id])),
    { look: isStrict }
  ),
  isGone("withTransaction in which a failure was caught", (pg, id) =>
    pg.withTransaction(Effect.andThen(pg.execute(INSERT, [id]), Effect.exit(pg.execute(FAILS))))
  ),
  isGone("DO inside of a transaction", (pg, id) =>
    pg.withTransaction(pg.execute(`DO 'BEGIN ${insert(id)}; RAISE division_by_zero; END'`))
  ),
  isGone("a script", (pg, id) => pg.executeScript(`${insert(id)}; ${FAILS}`)),
  isGone("a batch", (pg, id) => pg.batch([{ sql: INSERT, params: [id] }, { sql: FAILS }])),
  isGone("a batch with CALL behind what fails", (pg, id) =>
    pg.batch([{ sql: INSERT, params: [id] }, { sql: FAILS }, { sql: "CALL commits($1)", params: [id] }])
  ),
  isGone("executeMany with a late row that fails", (pg, id) => pg.executeMany(PAIRS, manyThen(id, [id, 0]))),
  isGone(
    "executeMany with a late value that cannot be sent",
    (pg, id) => pg.executeMany(PAIRS, manyThen(id, [id, UNSENDABLE])),
    { tag: "EncodeError" }
  ),
  isGone("executeMany with a late row of another length", (pg, id) => pg.executeMany(PAIRS, manyThen(id, [id]))),
  isGone(
    "executeMany of a stream with a late value that cannot be sent",
    (pg, id) => pg.executeMany(PAIRS, Stream.fromIterable(manyThen(id, [id, UNSENDABLE]))),
    { tag: "EncodeError" }
  ),
  isGone(
    "executeMany in a transaction, with a late value that cannot be sent",
    (pg, id) => pg.withTransaction(pg.executeMany(PAIRS, manyThen(id, [id, UNSENDABLE]))),
    { tag: "EncodeError" }
  ),
  isGone(
    "copyInRows with a late value that cannot be sent",
    (pg, id) => pg.copyInRows({ table: "effects" }, manyThen(id, [id, UNSENDABLE])),
    { tag: "EncodeError" }
  ),
  isGone("copyIn of what the table does not take", (pg, id) =>
    pg.copyIn({ table: "effects" }, [new TextEncoder().encode(`${id}\t1\n${id}\tx\n`)])
  ),
  isGone("a stream", (pg, id) =>
    Stream.runDrain(
      pg.stream("INSERT INTO effects SELECT $1, 1 / (2 - g) FROM generate_series(1, 2) AS g RETURNING n", [id])
    )
  ),
  // The outcome is unknown though nothing is there: rows that could not be decoded are rolled back with the stream.
  {
    ...stays("a stream whose rows their schema does not take", (pg, id) =>
      Stream.runDrain(pg.stream(RETURNING, [id], { row: isUnlike }))
    ),
    isDone: false
  }
]

layer(TestDatabase.layer, { excludeTestServices: true })("the outcome of a call that fails", (it) => {
  for (const mode of ["cached", "unnamed"] as const) {
    it.effect(`is true, with ${mode} statements`, () =>
      Effect.gen(function* () {
        const observer = yield* liveConnection()
        if ((yield* valueOf(observer, "SELECT to_regclass('effects') IS NULL")) === true) {
          for (const sql of SCHEMA) yield* observer.execute(sql)
        }
        const pool = yield* PgPool.make(yield* liveSettings({ maxConnections: 1, statementMode: mode }))
        let id = mode === "cached" ? 0 : 1_000
        const found: Array<unknown> = []
        for (const { before, call, isDone, look, name, says, tag } of cases) {
          id++
          if (before !== undefined) yield* observer.execute(before(id))
          const error = yield* refusalOf(pool.withConnection((connection) => call(connection, id)))
          if (tag !== undefined) assert.strictEqual(error._tag, tag, name)
          const isThere = yield* valueOf(
            observer,
            look === undefined ? `SELECT EXISTS (SELECT FROM effects WHERE id = ${id})` : look(id)
          )
          found.push([name, error.outcome, isThere])
          if (error.outcome !== says || isThere !== isDone) console.log(name, String(error))
        }
        assert.deepStrictEqual(
          found,
          cases.map(({ isDone, name, says }) => [name, says, isDone])
        )
        yield* assertHealthy(pool)
      })
    )
  }
})
