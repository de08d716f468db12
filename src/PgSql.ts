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
import * as Inspectable from "effect/Inspectable"
import { MAX_NAME_BYTES } from "./wire/limits.ts"
import { quoteName } from "./wire/sqlText.ts"

// ------------------------------------------------------------------------------------------------------ models

/**
 * Marks a statement. Only the functions of this module set this key on an object, and JSON cannot contain it.
 *
 * @category models
 * @since 0.1.0
 */
export const TypeId: unique symbol = Symbol("effectpg/PgSql/Statement")

/**
 * A statement, or part of one: an immutable value that you can run any number of times and interpolate into others.
 * Only the functions of this module create one; an object that merely looks like one is refused when it is run. These
 * functions never throw: if an argument is wrong, it is recorded in `fault`, and running the statement fails. If a
 * statement is printed or serialized, it shows its text but not its values.
 *
 * @category models
 * @since 0.1.0
 */
export interface Statement {
  readonly [TypeId]: typeof TypeId
  /** The text, with `$1`, `$2`... in place of the values. */
  readonly sql: string
  /** The values, in the order of their numbers. */
  readonly params: ReadonlyArray<unknown>
  /** Why the statement cannot be run, for example because of an invalid identifier; undefined if it can. */
  readonly fault: string | undefined
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
   * Makes the list of an UPDATE: `sql.set({ name: "ada", age: 36 })` is `"name" = $1, "age" = $2`. There must be at
   * least one column. A value must not be undefined, which could mean NULL or no change: pass null, or leave the column
   * out.
   */
  readonly set: (columns: Readonly<Record<string, unknown>>) => Statement
  /** Joins parts one after the other, with `, ` or `separator` between them. Each may be a statement or a value. */
  readonly join: (parts: ReadonlyArray<unknown>, separator?: Statement) => Statement
}

// ----------------------------------------------------------------------------------------------- implementation

/** `chunks` are the texts around the values: one more than there are values. */
class Template implements Statement {
  // The field is private so that printing or copying the object never exposes the values.
  readonly #chunks: ReadonlyArray<string>
  readonly #values: ReadonlyArray<unknown>
  readonly #fault: string | undefined
  #sql: string | undefined

  constructor(
    chunks: ReadonlyArray<string>,
    values: ReadonlyArray<unknown>,
    fault: string | undefined,
    sql: string | undefined
  ) {
    this.#chunks = chunks
    this.#values = values
    this.#fault = fault
    this.#sql = sql
  }

  get [TypeId](): typeof TypeId {
    return TypeId
  }

  /** A copy, a prototype or a Proxy has no private field, and checking for one runs no code of the object. */
  static isOne(value: unknown): value is Template {
    return typeof value === "object" && value !== null && #chunks in value
  }

  get sql(): string {
    return (this.#sql ??= textOf(this.#chunks))
  }

  get params(): ReadonlyArray<unknown> {
    return this.#values
  }

  get fault(): string | undefined {
    return this.#fault
  }

  get chunks(): ReadonlyArray<string> {
    return this.#chunks
  }

  toString(): string {
    return this.sql
  }

  toJSON(): unknown {
    return { sql: this.sql, parameters: this.#values.length }
  }

  [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/** Characters that would merge into one word with `$1`, before or after it: `LIMIT$1`, `$10`. */
const STICKS = /[\w$\u0080-\uffff]/

const textOf = (chunks: ReadonlyArray<string>): string => {
  const [first = "", ...others] = chunks
  const pieces = [first]
  for (const [at, chunk] of others.entries()) {
    const left = STICKS.test(chunks[at]?.slice(-1) ?? "") ? " " : ""
    const right = STICKS.test(chunk.slice(0, 1)) ? " " : ""
    pieces.push(`${left}$${at + 1}${right}${chunk}`)
  }
  return pieces.join("")
}

/**
 * Everything about a template literal that is the same each time it is evaluated. JavaScript then passes the same array
 * of texts, by which this is cached.
 */
interface Known {
  readonly sql: string
  readonly fault: string | undefined
}

const known = new WeakMap<TemplateStringsArray, Known>()

const learn = (strings: TemplateStringsArray): Known => {
  // A text with an invalid escape is undefined.
  const texts: ReadonlyArray<string | undefined> = strings
  const fault = texts.includes(undefined)
    ? "the template has an escape that JavaScript does not know; a backslash is written twice"
    : undefined
  const learnt = { sql: textOf(strings.map((text) => text ?? "")), fault }
  known.set(strings, learnt)
  return learnt
}

const faulty = (fault: string): Statement => new Template([""], [], fault, "")

const tag = (strings: TemplateStringsArray, ...interpolated: ReadonlyArray<unknown>): Statement => {
  // Only a template literal in the program has `raw`; an array from a request's body has not.
  if (!Array.isArray(strings) || !("raw" in strings)) return faulty('sql is a tag: sql`...`, not sql("...")')
  const { fault, sql } = known.get(strings) ?? learn(strings)
  return interpolated.some(Template.isOne)
    ? compose(strings, interpolated, fault)
    : new Template(strings, interpolated, fault, sql)
}

/** Inserts the values of an inner statement among those around it, so that nesting leaves no trace. */
const compose = (
  strings: ReadonlyArray<string>,
  interpolated: ReadonlyArray<unknown>,
  ownFault: string | undefined
): Statement => {
  const chunks: Array<string> = []
  const values: Array<unknown> = []
  let fault = ownFault
  let text = strings[0] ?? ""
  for (const [at, part] of interpolated.entries()) {
    if (Template.isOne(part)) {
      fault ??= part.fault
      for (const [inner, chunk] of part.chunks.entries()) {
        if (inner > 0) chunks.push(text)
        text = inner > 0 ? chunk : text + chunk
      }
      for (const value of part.params) values.push(value)
    } else {
      values.push(part)
      chunks.push(text)
      text = ""
    }
    text += strings[at + 1] ?? ""
  }
  chunks.push(text)
  return new Template(chunks, values, fault, undefined)
}

/** Inspecting an argument may throw, if it is a Proxy or has a getter; that is recorded as a fault of the statement. */
const total =
  <Given extends ReadonlyArray<unknown>>(name: string, build: (...given: Given) => Statement) =>
  (...given: Given): Statement => {
    try {
      return build(...given)
    } catch {
      return faulty(`${name} was given what cannot be read: looking at it throws`)
    }
  }

// ------------------------------------------------------------------------------------------------------- parts

const id = (...path: readonly [string, ...ReadonlyArray<string>]): Statement => {
  const fault = path.map(nameFault).find((found) => found !== undefined)
  return fault === undefined ? new Template([path.map(quoteName).join(".")], [], undefined, undefined) : faulty(fault)
}

const utf8 = new TextEncoder()

/** The server would truncate a longer name, so that two names that differ only at the end would be the same. */
const nameFault = (name: unknown): string | undefined => {
  if (typeof name !== "string") return "a part of an identifier is not a string"
  if (name === "") return "a part of an identifier is empty"
  if (name.includes("\0")) return "an identifier has a NUL character (\\u0000), which PostgreSQL cannot hold"
  if (!name.isWellFormed()) return "an identifier has a lone surrogate, which UTF-8 cannot hold"
  const { length } = utf8.encode(name)
  return length > MAX_NAME_BYTES ? `an identifier of ${length} bytes; PostgreSQL keeps ${MAX_NAME_BYTES}` : undefined
}

const isAmong = (values: ReadonlyArray<unknown>): Statement =>
  Array.isArray(values) ? tag`= ANY (${values})` : faulty("sql.in takes an array of values")

const values = (rows: ReadonlyArray<ReadonlyArray<unknown>>): Statement => {
  if (!Array.isArray(rows) || !Array.from(rows).every(Array.isArray)) return faulty("sql.values takes an array of rows")
  const [first] = rows
  if (first === undefined) return faulty("sql.values takes at least one row")
  const odd = rows.findIndex(({ length }) => length !== first.length)
  if (odd > 0) {
    return faulty(
      `sql.values takes rows of one length: the first has ${first.length} values, row ${odd + 1} has ${rows[odd]?.length}`
    )
  }
  return tag`VALUES ${join(rows.map((row) => tag`(${join(row)})`))}`
}

const set = (columns: Readonly<Record<string, unknown>>): Statement => {
  if (typeof columns !== "object" || columns === null || Array.isArray(columns)) {
    return faulty("sql.set takes an object of columns")
  }
  const entries = Object.entries(columns)
  if (entries.length === 0) return faulty("sql.set takes at least one column")
  const missing = entries.find(([, value]) => value === undefined)
  if (missing !== undefined) {
    return faulty(
      `sql.set does not accept undefined for column ${quoteName(missing[0])}: use null, or leave the column out`
    )
  }
  return join(entries.map(([column, value]) => tag`${id(column)} = ${value}`))
}

const join = (parts: ReadonlyArray<unknown>, separator: Statement = COMMA): Statement => {
  if (!Array.isArray(parts)) return faulty("sql.join takes an array of parts")
  if (!Template.isOne(separator)) return faulty("the separator of sql.join is a statement: sql` AND `")
  const interpolated = parts.flatMap((part, at) => (at === 0 ? [part] : [separator, part]))
  return compose(Array<string>(interpolated.length + 1).fill(""), interpolated, undefined)
}

const COMMA = tag`, `

/**
 * The tag for statements, with the functions that build parts of statements.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sql: Sql = Object.assign(total("sql", tag), {
  id: total("sql.id", id),
  in: total("sql.in", isAmong),
  values: total("sql.values", values),
  set: total("sql.set", set),
  join: total("sql.join", join)
})

/**
 * Tells whether a value is a statement that this module has made, rather than an object that looks like one.
 *
 * @category guards
 * @since 0.1.0
 */
export const isStatement = (value: unknown): value is Statement => Template.isOne(value)
