/**
 * SQL statements as tagged templates: an interpolated value becomes a parameter, never part of the text. Every call
 * that accepts SQL and parameters also accepts a template.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgClient } from "effectpg"
 * import { sql } from "effectpg/PgSql"
 *
 * export const named = Effect.fn(function* (name: string, ids: ReadonlyArray<number>) {
 *   const pg = yield* PgClient.PgClient
 *   return yield* pg.fetch(sql`SELECT id, name FROM users WHERE name = ${name} OR id ${sql.in(ids)}`)
 * })
 * ```
 * @since 0.1.0
 */
import { type Statement, tag, Template, total } from "./call/template.ts"
import { id, isAmong, join, values } from "./call/templateParts.ts"
import { insert, update, upsert } from "./call/templateRows.ts"

export { type Statement, TypeId } from "./call/template.ts"

// ------------------------------------------------------------------------------------------------------ models

/**
 * What is known of statements, by their literal text. It is empty until `effectpg types` writes a declaration file that
 * fills it: calls with these texts then know their parameters and rows, and calls with any other text stay as they are.
 *
 * @category models
 * @since 0.1.0
 */
export interface TypedStatements {}

/**
 * The rows of a statement that `effectpg types` knows, as objects by column name.
 *
 * @category models
 * @since 0.1.0
 */
export type RowOf<Text extends keyof TypedStatements> = TypedStatements[Text] extends {
  readonly row: infer Row extends object
}
  ? Row
  : never

/**
 * The values of `$1`, `$2`... in a statement that `effectpg types` knows.
 *
 * @category models
 * @since 0.1.0
 */
export type ParametersOf<Text extends keyof TypedStatements> = TypedStatements[Text] extends {
  readonly parameters: infer Parameters extends ReadonlyArray<unknown>
}
  ? Parameters
  : never

/** Every key of each row, so that rows with different keys are no type of `sql.insert`. */
type EveryKey<Row> = { readonly [Key in KeyOf<Row>]: unknown }
type KeyOf<Row> = Row extends unknown ? keyof Row : never

/** One row: whatever is no array. */
interface OneRow {
  readonly [Symbol.iterator]?: never
}

/**
 * Says what `sql.upsert` does if a row with the same values in some columns exists.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpsertOptions<Row> {
  /** The keys that identify a row. Their columns must have a unique index or a primary key together. */
  readonly conflict: readonly [Extract<keyof Row, string>, ...ReadonlyArray<Extract<keyof Row, string>>]
  /**
   * The keys whose values replace those of the existing row. If there are none, an existing row stays as it is, and
   * RETURNING does not return it.
   *
   * @default all keys that are not in `conflict`
   */
  readonly update?: ReadonlyArray<Extract<keyof Row, string>> | undefined
}

/**
 * The `sql` tag, and the functions that build parts of statements from names and lists.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sql {
  /**
   * Creates a statement. A statement in `${}` becomes part of it; any other value becomes a parameter, and is encoded
   * as the type that the server expects there. An array is one parameter: `id = ANY (${ids})`.
   *
   * JavaScript's escapes apply to the text, so write a backslash twice.
   *
   * @example
   * ```ts
   * import { sql } from "effectpg/PgSql"
   *
   * export const users = (filter: { readonly name?: string; readonly adult: boolean }) => {
   *   const conditions = [
   *     filter.name === undefined ? sql`true` : sql`name = ${filter.name}`,
   *     filter.adult ? sql`age >= ${18}` : sql`true`
   *   ]
   *   return sql`SELECT id, name FROM users WHERE ${sql.join(conditions, sql` AND `)}`
   * }
   * ```
   */
  (strings: TemplateStringsArray, ...interpolated: ReadonlyArray<unknown>): Statement
  /**
   * Makes a quoted name: `sql.id("shop", "order")` is `"shop"."order"`. The name is case-sensitive. If PostgreSQL
   * cannot hold it, the statement has a `fault`.
   */
  readonly id: (...path: readonly [string, ...ReadonlyArray<string>]) => Statement
  /**
   * Makes the end of a condition: `id ${sql.in(ids)}` is `id = ANY ($1)`, which is true if `id` is one of the values.
   * It is false if there are no values. It has one parameter for any number of values. Negate it by `NOT (id
   * ${sql.in(ids)})`.
   */
  readonly in: (values: ReadonlyArray<unknown>) => Statement
  /**
   * Makes rows of values: `sql.values([["ada", 36], ["grace", 45]])` is `VALUES ($1, $2), ($3, $4)`. There must be at
   * least one row, and all rows must have the same length. A statement can have at most 65,535 values.
   */
  readonly values: (rows: ReadonlyArray<ReadonlyArray<unknown>>) => Statement
  /**
   * Makes the columns and values of an INSERT from an object, or from an array of objects.
   *
   * @since 0.1.0
   */
  readonly insert: {
    /**
     * Makes the columns and values of an INSERT from objects, whose keys are the columns: for one book it makes
     * `("title", "price") VALUES ($1, $2)`. All objects must have the same keys, and there must be at least one. A value
     * must not be undefined: use null, `` sql`DEFAULT` ``, or leave the key out of all objects. A statement can have at
     * most 65,535 values; `copyInRows` writes any number of rows.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     * import { sql } from "effectpg/PgSql"
     *
     * const books = [
     *   { title: "Emma", price: 9 },
     *   { title: "Persuasion", price: sql`DEFAULT` }
     * ]
     *
     * export const ids = PgClient.PgClient.use((pg) => pg.fetch(sql`INSERT INTO books ${sql.insert(books)} RETURNING id`))
     * ```
     * @since 0.1.0
     */
    <Row extends object>(rows: ReadonlyArray<Row & EveryKey<Row>>): Statement
    /**
     * Makes the columns and values of an INSERT from an object, whose keys are the columns: `sql.insert({ title, price })`
     * is `("title", "price") VALUES ($1, $2)`. A value must not be undefined: use null, `` sql`DEFAULT` ``, or leave the
     * key out.
     *
     * @since 0.1.0
     */
    <Row extends object>(row: Row & OneRow): Statement
  }
  /**
   * Makes the list of an UPDATE, without the keys in `omit`: `` sql`UPDATE users SET ${sql.update({ name, age })}` ``
   * sets `"name" = $1, "age" = $2`. There must be at least one key. A value must not be undefined, which could mean NULL
   * or no change: use null, or leave the key out.
   */
  readonly update: <Row extends object>(
    columns: Row & OneRow,
    omit?: ReadonlyArray<Extract<keyof Row, string>>
  ) => Statement
  /**
   * Makes the columns, values and ON CONFLICT of an INSERT that replaces the values of rows that exist.
   *
   * @since 0.1.0
   */
  readonly upsert: {
    /**
     * Makes the end of an INSERT that replaces the values of rows that exist, from objects with the same keys: the
     * columns and values as `sql.insert` makes them, and `ON CONFLICT ("id") DO UPDATE SET "title" = EXCLUDED."title"`.
     * No two of the objects may have the same values in the `conflict` columns.
     *
     * @example
     * ```ts
     * import { PgClient } from "effectpg"
     * import { sql } from "effectpg/PgSql"
     *
     * export const save = (stock: ReadonlyArray<{ readonly isbn: string; readonly copies: number }>) =>
     *   PgClient.PgClient.use((pg) => pg.execute(sql`INSERT INTO stock ${sql.upsert(stock, { conflict: ["isbn"] })}`))
     * ```
     * @since 0.1.0
     */
    <Row extends object>(rows: ReadonlyArray<Row & EveryKey<Row>>, options: UpsertOptions<Row>): Statement
    /**
     * Makes the end of an INSERT that replaces the values of a row that exists, from an object: its columns and values
     * as `sql.insert` makes them, and `ON CONFLICT ("id") DO UPDATE SET "title" = EXCLUDED."title"`.
     *
     * @since 0.1.0
     */
    <Row extends object>(row: Row & OneRow, options: UpsertOptions<Row>): Statement
  }
  /** Joins parts one after the other, with `, ` or `separator` between them. Each may be a statement or a value. */
  readonly join: (parts: ReadonlyArray<unknown>, separator?: Statement) => Statement
}

/**
 * The tag for statements, with the functions that build parts of statements. The keys that `insert`, `update` and
 * `upsert` are given are names of columns. If the client that runs the statement has the setting `names: "camelCase"`,
 * the key `userId` is the column `user_id`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sql: Sql = Object.assign(total("sql", tag), {
  id: total("sql.id", id),
  in: total("sql.in", isAmong),
  values: total("sql.values", values),
  insert: total("sql.insert", insert),
  update: total("sql.update", update),
  upsert: total("sql.upsert", upsert),
  join: total("sql.join", join)
})

/**
 * Tells whether a value is a statement that this module has made, rather than an object that looks like one.
 *
 * @category guards
 * @since 0.1.0
 */
export const isStatement = (value: unknown): value is Statement => Template.isOne(value)
