/** Builds the statements of `PgSql`: values that have a text with gaps, and what stands in the gaps. */
import * as Inspectable from "effect/Inspectable"
import { type ColumnNames, unchanged } from "../codec/columnNames.ts"
import { quoteName } from "../wire/sqlText.ts"

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
  /**
   * The text, with `$1`, `$2`... in place of the values. It has the keys of `sql.insert`, `sql.update` and `sql.upsert`
   * as they were given. A client with the setting `names` turns them into its columns when it runs the statement.
   */
  readonly sql: string
  /** The values, in the order of their numbers. */
  readonly params: ReadonlyArray<unknown>
  /** Why the statement cannot be run, for example because of an invalid identifier; undefined if it can. */
  readonly fault: string | undefined
}

/** A gap for the name of the column that a property is written to. Only the client that runs the statement knows it. */
export class Property {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

const isValue = (part: unknown): boolean => !(part instanceof Property)

interface TemplateParts {
  /** The texts around the gaps: one more than there are gaps. */
  readonly chunks: ReadonlyArray<string>
  /** What stands in the gaps: values, and properties that are written as names. */
  readonly gaps: ReadonlyArray<unknown>
  readonly hasProperties?: boolean
  readonly fault: string | undefined
  readonly sql?: string | undefined
}

export class Template implements Statement {
  // The fields are private so that printing or copying the object never exposes the values.
  readonly #chunks: ReadonlyArray<string>
  readonly #gaps: ReadonlyArray<unknown>
  readonly #values: ReadonlyArray<unknown>
  readonly #fault: string | undefined
  #sql: string | undefined

  constructor({ chunks, fault, gaps, hasProperties = false, sql }: TemplateParts) {
    this.#chunks = chunks
    this.#gaps = gaps
    this.#values = hasProperties ? gaps.filter(isValue) : gaps
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

  /** Returns the text for a client that names columns in this way. */
  static sqlAs(template: Template, names: ColumnNames): string {
    const hasProperties = template.#gaps !== template.#values
    return hasProperties && names !== unchanged ? textOf(template.#chunks, template.#gaps, names) : template.sql
  }

  get sql(): string {
    return (this.#sql ??= textOf(this.#chunks, this.#gaps, unchanged))
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

  get gaps(): ReadonlyArray<unknown> {
    return this.#gaps
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

const textOf = (chunks: ReadonlyArray<string>, gaps: ReadonlyArray<unknown>, names: ColumnNames): string => {
  const [first = "", ...others] = chunks
  const pieces = [first]
  let number = 0
  for (const [at, chunk] of others.entries()) {
    const gap = gaps[at]
    if (gap instanceof Property) {
      pieces.push(quoteName(names.columnOf(gap.name)), chunk)
    } else {
      const left = STICKS.test(chunks[at]?.slice(-1) ?? "") ? " " : ""
      const right = STICKS.test(chunk.slice(0, 1)) ? " " : ""
      pieces.push(`${left}$${++number}${right}${chunk}`)
    }
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
    ? "the template has an invalid escape sequence; write two backslashes for one"
    : undefined
  const sql = textOf(
    strings.map((text) => text ?? ""),
    ONLY_VALUES,
    unchanged
  )
  const learnt = { sql, fault }
  known.set(strings, learnt)
  return learnt
}

const ONLY_VALUES: ReadonlyArray<unknown> = []

export const faulty = (fault: string): Statement => new Template({ chunks: [""], gaps: [], fault, sql: "" })

export const tag = (strings: TemplateStringsArray, ...interpolated: ReadonlyArray<unknown>): Statement => {
  // Only a template literal in the program has `raw`; an array from a request's body has not.
  if (!Array.isArray(strings) || !("raw" in strings))
    return faulty('sql is a template tag: write sql`...`, not sql("...")')
  const { fault, sql } = known.get(strings) ?? learn(strings)
  return interpolated.some(Template.isOne)
    ? compose(strings, interpolated, fault)
    : new Template({ chunks: strings, gaps: interpolated, fault, sql })
}

/** Inserts the gaps of an inner statement among those around it, so that nesting leaves no trace. */
export const compose = (
  strings: ReadonlyArray<string>,
  interpolated: ReadonlyArray<unknown>,
  ownFault?: string
): Statement => {
  const chunks: Array<string> = []
  const gaps: Array<unknown> = []
  let hasProperties = false
  let fault = ownFault
  let text = strings[0] ?? ""
  for (const [at, part] of interpolated.entries()) {
    if (Template.isOne(part)) {
      fault ??= part.fault
      for (const [inner, chunk] of part.chunks.entries()) {
        if (inner > 0) chunks.push(text)
        text = inner > 0 ? chunk : text + chunk
      }
      hasProperties ||= part.gaps !== part.params
      for (const gap of part.gaps) gaps.push(gap)
    } else {
      hasProperties ||= part instanceof Property
      gaps.push(part)
      chunks.push(text)
      text = ""
    }
    text += strings[at + 1] ?? ""
  }
  chunks.push(text)
  return new Template({ chunks, gaps, hasProperties, fault })
}

/** A statement of texts without gaps. */
export const plain = (text: string): Statement => new Template({ chunks: [text], gaps: [], fault: undefined })

/** Inspecting an argument may throw, if it is a Proxy or has a getter; that is recorded as a fault of the statement. */
export const total =
  <Given extends ReadonlyArray<unknown>>(name: string, build: (...given: Given) => Statement) =>
  (...given: Given): Statement => {
    try {
      return build(...given)
    } catch {
      return faulty(`${name} cannot read an argument: reading it throws an error`)
    }
  }
