/** What is copied out, as COPY can take it: a table, or a query without parameters; and how the server describes it. */
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
import { quoteName } from "../../wire/sqlText.ts"
import { tableName } from "./copyStatement.ts"
import { replacePlaceholders } from "./placeholders.ts"
import { haveChanged } from "../typesNow.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/**
 * How the server describes a statement now, and what its types are now. What was known of them before may be true no
 * longer, and nothing would tell: the data of a COPY name no types, and they come or go as they are.
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

/** The rows of a table as a query; it is for those who have to know their types. */
export const selectFrom = (table: PgCopy.Table, columns: ReadonlyArray<string> | undefined): string =>
  `SELECT ${columns === undefined ? "*" : columns.map(quoteName).join(", ")} FROM ${tableName(table)}`

type PlainSource = PgCopy.Table | { readonly query: string }

/** What is copied, as the server is sent it, and with placeholders as everybody else is told of it. */
export interface Interpolated {
  readonly sent: PlainSource
  readonly told: PlainSource
}

/** A source whose query has its parameters written into it. */
export const withLiterals = (level: TransactionLevel, source: PgCopy.Source): Answer<Interpolated> => {
  if (!("query" in source)) return Effect.succeed({ sent: source, told: source })
  const { params, query } = source
  return withStatement(typeof query === "string" ? [query, params] : [query], {}, (sql, values) =>
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
 * Parameters as literals of the types that the server has found for them. The server itself writes them, as `format`
 * and the types' output functions do.
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

/** Names with their schemas mean the same on any search_path, and pg_catalog.bpchar is not cut to one character. */
const typeNames = (oids: ReadonlyArray<number>): string => `SELECT pg_catalog.format('%I.%I', n.nspname, y.typname)
FROM pg_catalog.unnest(ARRAY[${oids.join(", ")}]::pg_catalog.oid[]) WITH ORDINALITY AS t(oid, position)
JOIN pg_catalog.pg_type AS y ON y.oid OPERATOR(pg_catalog.=) t.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) y.typnamespace
ORDER BY t.position`

/** Columns that are read as text are sent as text, so that all can come in the binary format. */
export const inBinary = (sql: string, { resultFormats }: RowShape): string => {
  if (resultFormats.every((format) => format === Format.binary)) return sql
  const names = resultFormats.map((_, index) => `c${index + 1}`)
  const columns = names.map((name, index) => (resultFormats[index] === Format.text ? `${name}::pg_catalog.text` : name))
  return `WITH effectpg_copy(${names.join(", ")}) AS (\n${sql}\n) SELECT ${columns.join(", ")} FROM effectpg_copy`
}
