/** Asks a server what a statement takes and returns, without running it. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as PgConfig from "../../../PgConfig.ts"
import * as PgConnection from "../../../PgConnection.ts"
import type * as PgError from "../../../PgError.ts"
import { quoteName, withQualifiedOperators } from "../../../wire/sqlText.ts"
import { readCatalogue } from "../nullability/catalogue.ts"
import { MAYBE, type Presence, presenceOf } from "../nullability/nullability.ts"
import { parameterNamesOf } from "../nullability/parameterNames.ts"
import { queriesOf, type TreeNode } from "../nullability/queryTree.ts"
import { type DatabaseType, type DatabaseTypes, readTypes } from "./databaseType.ts"

export interface Column {
  readonly name: string
  readonly type: number
  readonly presence: Presence
}

export interface Parameter {
  readonly type: number
  /** The column that it is compared with or written to, if there is one. */
  readonly name: string | undefined
}

export interface Description {
  readonly parameters: ReadonlyArray<Parameter>
  readonly columns: ReadonlyArray<Column>
}

export interface Asker {
  /** Has the server parse and analyze a statement. Fails with what the server says against it. */
  readonly check: (sql: string) => Effect.Effect<Checked, PgError.PgError>
  /** Says in addition what is never NULL, of a statement that `check` has found right. */
  readonly describe: (sql: string, checked: Checked) => Effect.Effect<Description, PgError.PgError>
  /** The types that the descriptions so far have. */
  readonly types: Effect.Effect<DatabaseTypes, PgError.PgError>
}

export interface Checked {
  readonly parameters: ReadonlyArray<number>
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: number }>
}

/** Connects to a database for the scope. */
export const makeAsker = (settings: PgConfig.Settings): Effect.Effect<Asker, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({ ...settings, statementCacheSize: 0 })
    // It writes the name of every type with its schema, but for those that come with PostgreSQL.
    const catalogueConnection = yield* PgConnection.make({
      ...settings,
      settings: { ...settings.settings, search_path: "pg_catalog" }
    })
    const known = yield* Effect.cached(readCatalogue(catalogueConnection))
    const seen = new Set<number>()
    const typesOf = (oids: Iterable<number>) => readTypes(catalogueConnection, oids)
    const check = (sql: string) =>
      Effect.scoped(
        Effect.map(connection.prepare(sql), ({ columns, parameters }): Checked => ({
          parameters: parameters.map(({ oid }) => oid),
          columns: columns.map(({ name, type }) => ({ name, type: type.oid }))
        }))
      )
    const signatureOf = (parameters: ReadonlyArray<number>) =>
      parameters.length === 0
        ? Effect.succeed([])
        : Effect.map(typesOf(parameters), (types) => parameters.map((oid) => qualifiedName(types.get(oid))))
    const describe = (sql: string, checked: Checked) =>
      Effect.gen(function* () {
        for (const oid of [...checked.parameters, ...checked.columns.map(({ type }) => type)]) seen.add(oid)
        const query = yield* analyzed(connection, sql, yield* signatureOf(checked.parameters))
        if (query === undefined) return described(checked, [], [])
        return described(checked, presenceOf(query, yield* known), parameterNamesOf(query))
      })
    return { check, describe, types: Effect.suspend(() => typesOf(seen)) }
  })

const described = (
  { columns, parameters }: Checked,
  presences: ReadonlyArray<Presence>,
  names: ReadonlyArray<string | undefined>
): Description => ({
  parameters: parameters.map((type, index) => ({ type, name: names[index] })),
  columns: columns.map((column, index) => ({ ...column, presence: presences[index] ?? MAYBE }))
})

/** The type as it means the same on any search_path. */
const qualifiedName = (type: DatabaseType | undefined): string =>
  type === undefined ? "pg_catalog.text" : `${quoteName(type.schema)}.${quoteName(type.name)}`

const FUNCTION = "effectpg_statement"

const BODY = withQualifiedOperators(
  `SELECT prosqlbody::pg_catalog.text FROM pg_catalog.pg_proc
  WHERE pronamespace = pg_catalog.pg_my_temp_schema() AND proname = '${FUNCTION}'`
)

/**
 * The query that the server's analyzer has made of a statement. The server keeps it as the body of a function, which is
 * made in the session's temporary schema and rolled back at once. It is undefined for statements that no function can
 * have, such as SHOW, and for users who may not make temporary objects.
 */
const analyzed = (
  connection: PgConnection.PgConnection,
  sql: string,
  parameters: ReadonlyArray<string>
): Effect.Effect<TreeNode | undefined, PgError.PgError> =>
  Effect.gen(function* () {
    const transaction = yield* connection.begin()
    const body = sql.replace(/[\s;]+$/, "")
    yield* transaction.execute(
      `CREATE FUNCTION pg_temp.${FUNCTION}(${parameters.join(", ")}) RETURNS pg_catalog.void LANGUAGE sql BEGIN ATOMIC ${body}\n; END`
    )
    const text = yield* transaction.fetchValue(BODY)
    yield* transaction.rollback
    return queriesOf(String(Option.getOrElse(text, () => ""))).at(-1)
  }).pipe(
    Effect.scoped,
    Effect.catchIf(
      (error) => error._tag !== "ConnectionLostError",
      () => Effect.succeed(undefined)
    )
  )
