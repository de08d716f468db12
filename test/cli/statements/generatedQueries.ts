/**
 * Random queries of random tables and views, whose columns are numbers and texts: joins of each kind, subqueries, common
 * tables, groups, windows, set operations, and writes that return rows.
 */

type Kind = "int" | "text"

interface Column {
  readonly name: string
  readonly kind: Kind
}

interface Relation {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
}

/** What stands in FROM, and the columns that can be read from it. */
interface Source {
  readonly sql: string
  readonly columns: ReadonlyArray<Column>
}

interface Query {
  readonly sql: string
  readonly columns: ReadonlyArray<Column>
}

const JOINS = [
  "JOIN",
  "LEFT JOIN",
  "RIGHT JOIN",
  "FULL JOIN",
  "CROSS JOIN",
  "LEFT JOIN LATERAL",
  "JOIN LATERAL"
] as const
const MAX_DEPTH = 3

export class QueryFactory {
  private state: number
  private names = 0
  private readonly relations: Array<Relation> = []

  constructor(seed: number) {
    this.state = seed
  }

  /** The statements that make the tables and fill them. */
  tables(): ReadonlyArray<string> {
    return Array.from({ length: 3 }, (_, index) => this.table(`t${index}`)).flat()
  }

  /** A view, which later queries read once it is accepted. */
  view(): { readonly sql: string; readonly accept: () => void } {
    const name = this.name("v")
    const { columns, sql } = this.select(1, [])
    return { sql: `CREATE VIEW ${name} AS ${sql}`, accept: () => void this.relations.push({ name, columns }) }
  }

  /** Each table has NULL wherever it may. One of them has an heir that allows more. */
  private table(name: string): ReadonlyArray<string> {
    const columns = Array.from({ length: this.whole(2, 4) }, (_, index): Column & { readonly isNotNull: boolean } => ({
      name: `${name}c${index}`,
      kind: this.one(["int", "text"]),
      isNotNull: this.chance(0.5)
    }))
    this.relations.push({ name, columns })
    const definitions = columns.map(({ isNotNull, kind, name }) => `${name} ${kind}${isNotNull ? " NOT NULL" : ""}`)
    const rows = Array.from({ length: this.whole(1, 5) }, () =>
      columns.map(({ isNotNull, kind }) => (!isNotNull && this.chance(0.4) ? "NULL" : this.literal(kind))).join(", ")
    )
    const heir = columns.map(({ kind }) => (this.chance(0.3) ? "NULL" : this.literal(kind))).join(", ")
    return [
      `CREATE TABLE ${name} (${definitions.join(", ")})`,
      ...rows.map((row) => `INSERT INTO ${name} VALUES (${row})`),
      ...(this.chance(0.3)
        ? [
            `CREATE TABLE ${name}_heir () INHERITS (${name})`,
            `DO $$ BEGIN INSERT INTO ${name}_heir VALUES (${heir}); EXCEPTION WHEN not_null_violation THEN NULL; END $$`
          ]
        : [])
    ]
  }

  query(): string {
    return this.chance(0.1) ? this.write() : this.select(0, []).sql
  }

  // -------------------------------------------------------------------------------------------------- queries

  private select(depth: number, outer: ReadonlyArray<Column>): Query {
    const form = depth < MAX_DEPTH ? this.whole(0, 9) : 5
    if (form === 0) return this.setOperation(depth, outer)
    if (form === 1) return this.withCommonTable(depth)
    if (form === 2) return this.recursive()
    const source = this.chance(0.08) ? undefined : this.from(depth, outer)
    const columns = [...(source?.columns ?? []), ...outer]
    const from = source === undefined ? "" : ` FROM ${source.sql}`
    const where = this.chance(0.35) ? ` WHERE ${this.condition(depth, columns)}` : ""
    if (form <= 4 && source !== undefined && source.columns.length > 0) {
      return this.grouped(depth, source.columns, outer, `${from}${where}`)
    }
    const canHaveWindows = this.chance(0.3)
    const targets = this.targets(() => {
      const kind = this.kind()
      return {
        kind,
        sql: canHaveWindows && this.chance(0.5) ? this.windowed(kind, depth, columns) : this.of(kind, depth, columns)
      }
    })
    const limit = this.chance(0.1) ? " LIMIT 3" : ""
    const distinct = this.chance(0.1) ? "DISTINCT " : ""
    return { sql: `SELECT ${distinct}${targets.sql}${from}${where}${limit}`, columns: targets.columns }
  }

  private targets(make: () => { readonly kind: Kind; readonly sql: string }): Query {
    const made = Array.from({ length: this.whole(1, 3) }, () => ({ ...make(), name: this.name("x") }))
    return { sql: made.map(({ name, sql }) => `${sql} AS ${name}`).join(", "), columns: made }
  }

  private grouped(depth: number, own: ReadonlyArray<Column>, outer: ReadonlyArray<Column>, rest: string): Query {
    const keys = Array.from({ length: this.whole(0, 2) }, () => this.one(own))
    const targets = this.targets(() => {
      if (keys.length > 0 && this.chance(0.5)) {
        const key = this.one(keys)
        return this.chance(0.7)
          ? { kind: key.kind, sql: key.name }
          : { kind: "text", sql: `coalesce(${key.name}::text, 'x')` }
      }
      return this.aggregate(depth, [...own, ...outer])
    })
    const names = [...new Set(keys.map(({ name }) => name))].join(", ")
    const grouping = this.one([names, names, `ROLLUP (${names})`, `CUBE (${names})`, `GROUPING SETS ((${names}), ())`])
    const group = keys.length === 0 ? "" : ` GROUP BY ${grouping}`
    const having = this.chance(0.15) ? " HAVING count(*) > 0" : ""
    return { sql: `SELECT ${targets.sql}${rest}${group}${having}`, columns: targets.columns }
  }

  private aggregate(depth: number, columns: ReadonlyArray<Column>): { readonly kind: Kind; readonly sql: string } {
    const filter = this.chance(0.15) ? ` FILTER (WHERE ${this.condition(MAX_DEPTH, columns)})` : ""
    const number = (): string => this.of("int", depth + 2, columns)
    const word = (): string => this.of("text", depth + 2, columns)
    return this.one<() => { readonly kind: Kind; readonly sql: string }>([
      () => ({ kind: "int", sql: `(count(*)${filter})::int` }),
      () => ({ kind: "int", sql: `(count(${number()})${filter})::int` }),
      () => ({ kind: "int", sql: `max(${number()})${filter}` }),
      () => ({ kind: "int", sql: `(sum(${number()})${filter})::int` }),
      () => ({ kind: "text", sql: `min(${word()})${filter}` }),
      () => ({ kind: "text", sql: `string_agg(${word()}, ',')${filter}` }),
      () => ({ kind: "text", sql: `(array_agg(${word()})${filter})::text` }),
      () => ({ kind: "int", sql: `(stddev(${number()})${filter})::int` })
    ])()
  }

  private windowed(kind: Kind, depth: number, columns: ReadonlyArray<Column>): string {
    const value = this.of(kind, depth + 2, columns)
    const order = `ORDER BY ${this.of("int", MAX_DEPTH, columns)} + 0`
    const over = this.one([
      `OVER (${order})`,
      "OVER ()",
      `OVER (PARTITION BY ${this.of("text", MAX_DEPTH, columns)} || '' ${order})`,
      `OVER (${order} ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)`,
      `OVER (${order} ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING EXCLUDE CURRENT ROW)`
    ])
    return this.one([
      ...(kind === "int"
        ? [`(row_number() ${over})::int`, `(rank() ${over})::int`, `(count(${value}) ${over})::int`]
        : []),
      `lag(${value}) ${over}`,
      `lead(${value}, 1, ${this.of(kind, MAX_DEPTH, columns)}) ${over}`,
      `first_value(${value}) ${over}`,
      `last_value(${value}) ${over}`,
      `max(${value}) ${over}`
    ])
  }

  private setOperation(depth: number, outer: ReadonlyArray<Column>): Query {
    const left = this.select(depth + 1, outer)
    const right = this.select(depth + 1, outer)
    const names = left.columns.map(({ kind, name }) => ({ name, kind }))
    const matching = names
      .map(({ kind, name }) => right.columns.find((column) => column.kind === kind)?.name ?? `NULL::${kind} AS ${name}`)
      .join(", ")
    const operation = this.one(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"])
    return {
      sql: `(${left.sql}) ${operation} SELECT ${matching} FROM (${right.sql}) AS ${this.name("s")}`,
      columns: names
    }
  }

  private withCommonTable(depth: number): Query {
    const inner = this.chance(0.2) ? this.returning() : this.select(depth + 2, [])
    const name = this.name("w")
    const table: Relation = { name, columns: inner.columns }
    // A write may stand only at the top of a statement.
    if (depth > 0 && !inner.sql.startsWith("(") && !inner.sql.startsWith("SELECT")) return this.select(MAX_DEPTH, [])
    this.relations.push(table)
    const outer = this.select(Math.max(depth + 1, 2), [])
    this.relations.splice(this.relations.indexOf(table), 1)
    return {
      sql: `WITH ${name} AS (${inner.sql}) SELECT * FROM (${outer.sql}) AS ${this.name("q")}`,
      columns: outer.columns
    }
  }

  private recursive(): Query {
    const name = this.name("r")
    const [number, word] = [this.name("x"), this.name("x")]
    const columns: ReadonlyArray<Column> = [
      { name: number, kind: "int" },
      { name: word, kind: "text" }
    ]
    const first = `SELECT ${this.of("int", MAX_DEPTH, [])}, ${this.of("text", MAX_DEPTH, [])}`
    const next = `SELECT ${this.of("int", MAX_DEPTH, columns)}, ${this.of("text", MAX_DEPTH, columns)}`
    return {
      sql: `WITH RECURSIVE ${name} (${number}, ${word}, n) AS (${first}, 1 UNION ALL ${next}, n + 1 FROM ${name} WHERE n < 3)
        SELECT ${number}, ${word} FROM ${name}`,
      columns
    }
  }

  // --------------------------------------------------------------------------------------------------- sources

  private from(depth: number, outer: ReadonlyArray<Column>): Source {
    let source = this.item(depth, outer)
    for (let count = this.whole(0, 2); count > 0; count--) {
      const join = this.one(JOINS)
      const isLateral = join.endsWith("LATERAL")
      const other = this.item(depth, isLateral ? [...outer, ...source.columns] : outer, isLateral)
      const columns = [...source.columns, ...other.columns]
      const on =
        join === "CROSS JOIN"
          ? ""
          : ` ON ${join === "FULL JOIN" ? this.equality(source, other) : this.condition(MAX_DEPTH, columns)}`
      source = { sql: `(${source.sql} ${join} ${other.sql}${on})`, columns }
    }
    return source
  }

  private item(depth: number, outer: ReadonlyArray<Column>, isSubquery = false): Source {
    const alias = this.name("s")
    if (depth < MAX_DEPTH && (isSubquery || this.chance(0.25))) {
      const { columns, sql } = this.select(depth + 1, isSubquery ? outer : [])
      return { sql: `(${sql}) AS ${alias}`, columns: renamed(alias, columns) }
    }
    if (isSubquery) return { sql: `(SELECT 1 AS one) AS ${alias}`, columns: [{ name: `${alias}.one`, kind: "int" }] }
    if (this.chance(0.1)) {
      const rows = Array.from(
        { length: 2 },
        () => `(${this.of("int", MAX_DEPTH, [])}, ${this.of("text", MAX_DEPTH, [])})`
      )
      return {
        sql: `(VALUES ${rows.join(", ")}) AS ${alias} (a, b)`,
        columns: [
          { name: `${alias}.a`, kind: "int" },
          { name: `${alias}.b`, kind: "text" }
        ]
      }
    }
    if (this.chance(0.1)) {
      return this.chance(0.5)
        ? { sql: `generate_series(1, 2) AS ${alias} (a)`, columns: [{ name: `${alias}.a`, kind: "int" }] }
        : {
            sql: `unnest(ARRAY[1, ${this.of("int", MAX_DEPTH, [])}]) WITH ORDINALITY AS ${alias} (a, n)`,
            columns: [{ name: `${alias}.a`, kind: "int" }]
          }
    }
    const { columns, name } = this.one(this.relations)
    return { sql: `${name} AS ${alias}`, columns: renamed(alias, columns) }
  }

  /** FULL JOIN takes no other condition. */
  private equality(left: Source, right: Source): string {
    for (const { kind, name } of left.columns) {
      const other = right.columns.find((column) => column.kind === kind)
      if (other !== undefined) return `${name} = ${other.name}`
    }
    return "true"
  }

  // ---------------------------------------------------------------------------------------------------- writes

  private write(): string {
    return this.returning().sql
  }

  private returning(): Query {
    const { columns, name } = this.one(this.relations.filter(({ name }) => /^t\d$/.test(name)))
    const targets = this.targets(() => {
      const kind = this.kind()
      return { kind, sql: this.of(kind, 2, columns) }
    })
    const values = columns.map(({ kind }) => this.literal(kind)).join(", ")
    const column = this.one(columns)
    const sql = this.one([
      `INSERT INTO ${name} VALUES (${values}) RETURNING ${targets.sql}`,
      `DELETE FROM ${name} WHERE ${this.condition(MAX_DEPTH, columns)} RETURNING ${targets.sql}`,
      `UPDATE ${name} SET ${column.name} = ${this.of(column.kind, MAX_DEPTH, columns)} WHERE ${this.condition(MAX_DEPTH, columns)} RETURNING ${targets.sql}`
    ])
    return { sql, columns: targets.columns }
  }

  // ----------------------------------------------------------------------------------------------- expressions

  private of(kind: Kind, depth: number, columns: ReadonlyArray<Column>): string {
    const own = columns.filter((column) => column.kind === kind)
    const isLeaf = depth >= MAX_DEPTH ? this.chance(0.7) : this.chance(0.4)
    if (isLeaf) {
      if (own.length > 0 && this.chance(0.8)) return this.one(own).name
      return this.chance(0.2) ? `NULL::${kind}` : this.literal(kind)
    }
    const inner = (other: Kind = kind): string => this.of(other, depth + 1, columns)
    const condition = (): string => this.condition(depth + 1, columns)
    const subquery = (): string => {
      const { columns: found, sql } = this.select(MAX_DEPTH, columns)
      const column = found.find((candidate) => candidate.kind === kind)
      const value = column?.name ?? `NULL::${kind}`
      return this.one([
        `(SELECT ${value} FROM (${sql}) AS ${this.name("q")} LIMIT 1)`,
        `(SELECT max(${value}) FROM (${sql}) AS ${this.name("q")})`,
        ...(kind === "int" ? [`(SELECT count(*)::int FROM (${sql}) AS ${this.name("q")})`] : [])
      ])
    }
    const shared: ReadonlyArray<() => string> = [
      () => `coalesce(${inner()}, ${inner()})`,
      () => `CASE WHEN ${condition()} THEN ${inner()} ELSE ${inner()} END`,
      () => `CASE WHEN ${condition()} THEN ${inner()} END`,
      () => `nullif(${inner()}, ${inner()})`,
      () => `greatest(${inner()}, ${inner()})`,
      () => `(ARRAY[${inner()}, ${inner()}])[${this.whole(1, 3)}]`,
      ...(depth < MAX_DEPTH - 1 ? [subquery] : [])
    ]
    const special: ReadonlyArray<() => string> =
      kind === "int"
        ? [
            () => `(${inner()} + ${inner()})`,
            () => `length(${inner("text")})`,
            () => `(${condition()})::int`,
            () => `array_length(ARRAY[]::int[], ${inner()})`,
            () => `cardinality(ARRAY[${inner()}])`,
            () => `strpos(${inner("text")}, 'a')`
          ]
        : [
            () => `(${inner()} || ${inner()})`,
            () => `upper(${inner()})`,
            () => `${inner("int")}::text`,
            () => `substring(${inner()} from 'a+')`,
            () => `concat(${inner()}, ${inner()})`,
            () => `split_part(${inner()}, 'a', 1)`
          ]
    return this.one([...shared, ...special])()
  }

  private condition(depth: number, columns: ReadonlyArray<Column>): string {
    const kind = this.kind()
    const value = (): string => this.of(kind, depth + 1, columns)
    const simple: ReadonlyArray<() => string> = [
      () => `${value()} = ${value()}`,
      () => `${value()} < ${value()}`,
      () => `${value()} IS NOT NULL`,
      () => `${value()} IS NULL`,
      () => `${value()} IS DISTINCT FROM ${value()}`,
      () => `${value()} IN (${value()}, ${value()})`,
      () => `${value()} = ANY (ARRAY[${value()}, ${value()}])`,
      () => `(${value()} <> ALL (ARRAY[${value()}]::${kind}[]))`,
      () => `(${value()} > ${value()}) IS NOT FALSE`
    ]
    if (depth >= MAX_DEPTH || this.chance(0.6)) return `(${this.one(simple)()})`
    const inner = (): string => this.condition(depth + 1, columns)
    return this.one([
      () => `(${inner()} AND ${inner()})`,
      () => `(${inner()} OR ${inner()})`,
      () => `(NOT ${inner()})`,
      () => `(${value()} IN (SELECT ${this.of(kind, MAX_DEPTH, columns)} FROM t0))`,
      () => `EXISTS (SELECT FROM t1 WHERE ${inner()})`
    ])()
  }

  private literal(kind: Kind): string {
    return kind === "int" ? String(this.whole(0, 3)) : `'${this.one(["a", "b", "aab", ""])}'::text`
  }

  // ---------------------------------------------------------------------------------------------------- chance

  private kind(): Kind {
    return this.one(["int", "text"])
  }

  private name(prefix: string): string {
    return `${prefix}${this.names++}`
  }

  /** Mulberry32. */
  private next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  private chance(probability: number): boolean {
    return this.next() < probability
  }

  private whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  private one<A>(choices: ReadonlyArray<A>): A {
    const chosen = choices[Math.floor(this.next() * choices.length)]
    if (chosen === undefined) throw new Error("there is nothing to choose from")
    return chosen
  }
}

const renamed = (alias: string, columns: ReadonlyArray<Column>): ReadonlyArray<Column> =>
  columns.map(({ kind, name }) => ({ name: `${alias}.${name.replace(/^.*\./, "")}`, kind }))
