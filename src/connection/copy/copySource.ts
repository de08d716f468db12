/** Describes the table or query that a COPY reads, and writes the parameters into its text, because COPY takes none. */
import * as Effect from "effect/Effect"
import type { RowShape } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import type * as PgCopy from "../../PgCopy.ts"
import { OwnStatement } from "../../session/statement/heldStatement.ts"
import { ownTupleRows, preparation, tupleRows } from "../../session/request/request.ts"
import type { PreparedStatement } from "../../session/statement/preparedStatement.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import { Format } from "../../wire/backendMessage.ts"
import { withStatement } from "../../call/withStatement.ts"
import { OUR_PREFIX, quoteName } from "../../wire/sqlText.ts"
import { tableName } from "./copyStatement.ts"
import { replacePlaceholders } from "./placeholders.ts"
import { haveChanged } from "../typesNow.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/**
 * Describes a statement, and describes it again if its types have changed since they were looked up. This is checked
 * because the data of a COPY do not say which types they have, so that no error would show the change.
 */
export const description = (
  level: TransactionLevel,
  sql: string,
  params: ReadonlyArray<unknown> = []
): Answer<PreparedStatement> =>
  Effect.gen(function* () {
    const described = yield* describedAsKnown(level, sql, params)
    const oids = (described.rowShape?.columns ?? []).map(({ typeOid }) => typeOid)
    return (yield* haveChanged(level, described, oids)) ? yield* describedAsKnown(level, sql, params) : described
  })

const describedAsKnown = (
  level: TransactionLevel,
  sql: string,
  params: ReadonlyArray<unknown>
): Answer<PreparedStatement> =>
  Effect.suspend(() => level.run(preparation(sql, params).with(new OwnStatement(level.session.statements, UNNAMED))))

const UNNAMED = ""

/** Makes a query for the rows of a table, with which the server can describe their types. */
export const selectFrom = (table: PgCopy.Table, columns: ReadonlyArray<string> | undefined): string =>
  `SELECT ${columns === undefined ? "*" : columns.map(quoteName).join(", ")} FROM ${tableName(table)}`

type PlainSource = PgCopy.Table | { readonly query: string }

/** A source as the server receives it, and as errors and reports show it, with placeholders instead of values. */
export interface Interpolated {
  readonly sent: PlainSource
  readonly told: PlainSource
}

/** Writes the parameters of a query into its text. */
export const withLiterals = (level: TransactionLevel, source: PgCopy.Source): Answer<Interpolated> => {
  if (!("query" in source)) return Effect.succeed({ sent: source, told: source })
  const { params, query } = source
  const { names } = level.session.catalogue
  return withStatement(typeof query === "string" ? [query, params] : [query], names, {}, (sql, values) =>
    interpolated(level, sql, values)
  )
}

const interpolated = (level: TransactionLevel, sql: string, params: ReadonlyArray<unknown>): Answer<Interpolated> => {
  const told = { query: sql }
  if (params.length === 0) return Effect.succeed({ sent: told, told })
  return Effect.gen(function* () {
    const { parameterOids } = yield* describedAsKnown(level, sql, params)
    if (parameterOids.length !== params.length) {
      return yield* new PgError.ParameterCountError({ expected: parameterOids.length, actual: params.length, sql })
    }
    const literals = yield* literalsOf(level, parameterOids, params)
    const isBackslashPlain = level.session.parameters.get("standard_conforming_strings") !== "off"
    const query = replacePlaceholders(sql, (number) => literals[number - 1] ?? `$${number}`, { isBackslashPlain })
    return { sent: { query }, told }
  })
}

/**
 * Turns parameters into literals of the types that the server has found for them. The server writes these literals
 * itself, with `format`.
 */
const literalsOf = (
  level: TransactionLevel,
  oids: ReadonlyArray<number>,
  params: ReadonlyArray<unknown>
): Answer<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const types = (yield* level.run(ownTupleRows(typeNames(oids)))).map(([name]) => String(name))
    const formats = types.map((type, index) => `pg_catalog.format('%L', $${index + 1}::${type})`)
    const [literals = []] = yield* level.run(tupleRows(`SELECT ${formats.join(", ")}`, params))
    return literals.map((literal, index) => `(${String(literal)}::${types[index]})`)
  })

/**
 * Selects the names of types with their schemas. Such a name does not depend on the search_path. A cast to
 * `pg_catalog.bpchar` also keeps the whole text, while one to `character` would keep only its first character.
 */
const typeNames = (oids: ReadonlyArray<number>): string => `SELECT pg_catalog.format('%I.%I', n.nspname, y.typname)
FROM pg_catalog.unnest(ARRAY[${oids.join(", ")}]::pg_catalog.oid[]) WITH ORDINALITY AS t(oid, position)
JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) t.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) y.typnamespace
ORDER BY t.position`

const COPIED = `${OUR_PREFIX}copy`

/** Casts the columns that are read as text to text, so that the whole COPY can use the binary format. */
export const inBinary = (sql: string, { resultFormats }: RowShape): string => {
  if (resultFormats.every((format) => format === Format.binary)) return sql
  const names = resultFormats.map((_, index) => `c${index + 1}`)
  const columns = names.map((name, index) => (resultFormats[index] === Format.text ? `${name}::pg_catalog.text` : name))
  return `WITH ${COPIED}(${names.join(", ")}) AS (\n${sql}\n) SELECT ${columns.join(", ")} FROM ${COPIED}`
}
