/** Runs a statement by each kind of call, and finds its right answer without any cache. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as PgConnection from "../../../../src/PgConnection.ts"
import * as PgError from "../../../../src/PgError.ts"
import type * as PgStatement from "../../../../src/PgStatement.ts"
import { TypedParameter } from "../../../../src/codec/typedParameter.ts"
import type { Asked, Kind, Way } from "./catalogue.ts"
import type { Call } from "./program.ts"

type Answer = Effect.Effect<unknown, PgError.PgError>
type Queryable = PgConnection.Queryable

const isPlain = ({ isUtility, values, writes }: Asked): boolean =>
  isUtility !== true && values === undefined && writes !== true

const hasTyped = (values: ReadonlyArray<unknown>): boolean => values.some((value) => value instanceof TypedParameter)

/** The kind of call that is used, if the chosen one does not take the statement. */
export const kindOf = ({ asked, kind, next, values }: Call, isBegunInSql: boolean): Kind => {
  switch (kind) {
    case "executeScript":
      return asked.values === undefined ? kind : "fetch"
    case "batch":
      return isBegunInSql ? "fetch" : kind
    case "prepare":
      // A prepared statement has the types that the server says, whatever its values are.
      return hasTyped(values) ? "fetch" : kind
    case "copyOutRows":
    case "cursor":
    case "stream":
      return asked.isUtility === true ? "fetchTuples" : kind
    case "DECLARE and FETCH":
    case "batch of DECLARE and FETCH":
    case "PREPARE and EXECUTE":
    case "batch of PREPARE and EXECUTE":
      return isPlain(asked) && !isBegunInSql ? kind : "fetch"
    case "concurrent":
      return asked.writes === true || next.writes === true ? "fetch" : kind
    case "executeMany":
    case "fetchMany":
      return isBegunInSql || hasTyped(values) ? "fetch" : values.length === 0 ? "prepare" : kind
    default:
      return kind
  }
}

const FETCHING = (sql: string) => [`DECLARE m NO SCROLL CURSOR FOR ${sql}`, "FETCH ALL IN m", "CLOSE m"] as const
const EXECUTING = (sql: string) => [`PREPARE q AS ${sql}`, "EXECUTE q", "DEALLOCATE q"] as const

/** Asks the client whose caches are tested. */
export const ask = (pg: Queryable, call: Call, kind: Kind): Answer => {
  const { asked, copied, next, nextValues, values } = call
  const { sql } = asked
  switch (kind) {
    case "fetch":
      return pg.fetch(sql, values)
    case "fetchTuples":
      return pg.fetchTuples(sql, values)
    case "execute":
      return pg.execute(sql, values)
    case "fetchRow":
      return Effect.map(pg.fetchRow(sql, values), Option.getOrUndefined)
    case "fetchValue":
      return Effect.map(pg.fetchValue(sql, values), Option.getOrUndefined)
    case "fetchMany":
      return pg.fetchMany(sql, [values, values])
    case "executeMany":
      return Effect.map(pg.executeMany(sql, [values, values]), ({ rowCount }) => rowCount)
    case "batch":
      return rowsOfBatch(pg, [
        { sql, params: values },
        { sql: next.sql, params: nextValues },
        { sql, params: values }
      ])
    case "prepare":
      return Effect.scoped(Effect.flatMap(pg.prepare(sql), (statement) => runPrepared(statement, asked, values)))
    case "cursor":
      return Effect.scoped(
        Effect.gen(function* () {
          const cursor = yield* pg.cursor(sql, values)
          const rows: Array<unknown> = []
          for (;;) {
            const page = yield* cursor.fetch(1)
            if (page.length === 0) return rows
            rows.push(...page)
          }
        })
      )
    case "stream":
      return Stream.runCollect(pg.stream(sql, values, { fetchSize: 1 }))
    case "copyOutRows":
      return Stream.runCollect(pg.copyOutRows({ query: sql, params: values }))
    case "copyInRows":
      return pg.copyInRows({ table: copied.table, columns: copied.columns }, copied.rows)
    case "executeScript":
      return pg.executeScript(sql)
    case "DECLARE and FETCH":
      return pg.withTransaction(inTheMidst(pg, FETCHING(sql)))
    case "batch of DECLARE and FETCH":
      return pg.withTransaction(Effect.map(rowsOfBatch(pg, FETCHING(sql).map(statement)), ([, rows]) => rows))
    case "PREPARE and EXECUTE":
      return inTheMidst(pg, EXECUTING(sql))
    case "batch of PREPARE and EXECUTE":
      return Effect.map(rowsOfBatch(pg, EXECUTING(sql).map(statement)), ([, rows]) => rows)
    case "concurrent": {
      const calls: ReadonlyArray<Answer> = [
        pg.fetch(sql, values),
        pg.fetchTuples(next.sql, nextValues),
        pg.fetch(sql, values)
      ]
      return allOf(calls, "unbounded")
    }
  }
}

/** The right answer: each statement alone, described anew, and with the current types. */
export const answer = (
  pg: Queryable,
  call: Call,
  kind: Kind,
  { isTransaction, learnsAnew }: { readonly isTransaction: boolean; readonly learnsAnew: boolean }
): Answer => {
  const asked = expected(pg, call, kind, isTransaction)
  return learnsAnew ? Effect.andThen(pg.reloadSchemaState, asked) : asked
}

const expected = (pg: Queryable, call: Call, kind: Kind, isTransaction: boolean): Answer => {
  const { asked, next, nextValues, values } = call
  const rows: Answer = pg.fetch(asked.sql, values)
  switch (kind) {
    case "fetchMany":
      return pg.withTransaction(Effect.all([rows, rows]))
    case "executeMany": {
      const one = Effect.map(pg.execute(asked.sql, values), ({ rowCount }) => rowCount)
      return pg.withTransaction(Effect.map(Effect.all([one, one]), ([first, second]) => first + second))
    }
    case "batch":
      return asBatch(pg, Effect.all([rows, pg.fetch(next.sql, nextValues), rows]), isTransaction)
    case "prepare":
      return asked.writes === true ? rows : Effect.all([rows, rows])
    case "cursor":
    case "stream":
    case "copyOutRows":
      return rows
    case "DECLARE and FETCH":
    case "batch of DECLARE and FETCH":
      return pg.withTransaction(rows)
    case "PREPARE and EXECUTE":
    case "batch of PREPARE and EXECUTE":
      return rows
    case "concurrent":
      return allOf([rows, pg.fetchTuples(next.sql, nextValues), rows], 1)
    default:
      return ask(pg, call, kind)
  }
}

/** Runs each of them, whatever the others end with. */
const allOf = (calls: ReadonlyArray<Answer>, concurrency: number | "unbounded"): Answer =>
  Effect.flatMap(
    Effect.forEach(calls, (each) => Effect.exit(each), { concurrency }),
    (exits) => Effect.all(exits)
  )

/**
 * A batch that is refused before it is sent has done nothing; one that the server refuses has failed the transaction.
 */
const asBatch = (pg: Queryable, all: Answer, isTransaction: boolean): Answer =>
  Effect.tapError(pg.withTransaction(all), (error) =>
    isTransaction && PgError.isPostgresError(error) ? Effect.ignore(pg.execute("SELECT 1 / 0")) : Effect.void
  )

export const runPrepared = (statement: PgStatement.PgStatement, asked: Asked, values: ReadonlyArray<unknown>): Answer =>
  asked.writes === true ? statement.fetch(values) : Effect.all([statement.fetch(values), statement.fetch(values)])

const statement = (sql: string) => ({ sql })

const rowsOfBatch = (pg: Queryable, statements: Parameters<Queryable["batch"]>[0]) =>
  Effect.map(pg.batch(statements), (results) => results.map(({ rows }) => rows))

const inTheMidst = (pg: Queryable, [before, sql, after]: readonly [string, string, string]): Answer =>
  Effect.gen(function* () {
    yield* pg.execute(before)
    return yield* Effect.ensuring(pg.fetch(sql), Effect.ignore(pg.execute(after)))
  })

/** Changes the schema in one of the possible ways. */
export const change = (pg: Queryable, ddl: string, way: Way): Answer => {
  const statements = ddl.split(";").map((each) => each.trim())
  const each = (run: (sql: string) => Answer) => Effect.forEach(statements, run, { discard: true })
  switch (way) {
    case "execute":
      return each((sql) => pg.execute(sql))
    case "executeScript":
      return Effect.asVoid(pg.executeScript(ddl))
    case "batch":
      return Effect.asVoid(pg.batch(statements.map(statement)))
    case "DO":
      return each((sql) => pg.execute(`DO $do$ BEGIN EXECUTE $ddl$${sql}$ddl$; END $do$`))
    case "function":
      return each((sql) => pg.fetch("SELECT public.change($1)", [sql]))
    case "procedure":
      return each((sql) => pg.execute("CALL public.change_too($1)", [sql]))
  }
}
