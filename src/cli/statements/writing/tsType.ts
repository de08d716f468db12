/** Writes down which JavaScript values a type of the database has, in rows and as a parameter. */
import type { DatabaseType, DatabaseTypes } from "../asking/databaseType.ts"

/** A type in TypeScript, for a value of a row and for a parameter. */
export interface TsType {
  readonly row: string
  readonly parameter: string
}

const both = (text: string): TsType => ({ row: text, parameter: text })
const parsed = (text: string): TsType => ({ row: text, parameter: `${text} | string` })

const STRING = both("string")
const NUMBER = both("number")
const INSTANT: TsType = { row: "Date", parameter: "Date | string" }

const BUILTIN: Readonly<Record<string, TsType>> = {
  bool: both("boolean"),
  int2: NUMBER,
  int4: NUMBER,
  oid: NUMBER,
  xid: NUMBER,
  cid: NUMBER,
  float4: NUMBER,
  float8: NUMBER,
  int8: { row: "bigint", parameter: "bigint | number" },
  xid8: { row: "bigint", parameter: "bigint | number" },
  numeric: { row: "string", parameter: "string | number | bigint" },
  json: both("unknown"),
  jsonb: both("unknown"),
  bytea: both("Uint8Array"),
  date: { row: "string", parameter: "string | Date" },
  time: { row: "bigint", parameter: "bigint | string" },
  timestamp: INSTANT,
  timestamptz: INSTANT,
  interval: parsed("PgTypes.PgInterval"),
  point: parsed("PgTypes.PgPoint"),
  line: parsed("PgTypes.PgLine"),
  lseg: parsed("PgTypes.PgLineSegment"),
  box: parsed("PgTypes.PgBox"),
  path: parsed("PgTypes.PgPath"),
  polygon: parsed("PgTypes.PgPolygon"),
  circle: parsed("PgTypes.PgCircle"),
  pg_snapshot: parsed("PgTypes.PgSnapshot"),
  txid_snapshot: parsed("PgTypes.PgSnapshot"),
  int2vector: both("ReadonlyArray<number>"),
  oidvector: both("ReadonlyArray<number>"),
  record: both("ReadonlyArray<unknown>"),
  void: STRING
}

const dateTime: TsType = {
  row: 'import("effect/DateTime").Utc',
  parameter: 'import("effect/DateTime").DateTime | Date | string'
}
const microseconds: TsType = { row: "bigint", parameter: "bigint | Date | string" }
const decimal: TsType = {
  row: 'import("effect/BigDecimal").BigDecimal',
  parameter: 'import("effect/BigDecimal").BigDecimal | string | number | bigint'
}

/** What the codecs of `PgTypes` make of their types. */
const CODECS: Readonly<Record<string, readonly [type: string, TsType]>> = {
  int8AsNumber: ["int8", { row: "number", parameter: "number | bigint" }],
  numericAsBigDecimal: ["numeric", decimal],
  timestamptzAsDateTime: ["timestamptz", dateTime],
  timestampAsDateTime: ["timestamp", dateTime],
  timestamptzAsMicroseconds: ["timestamptz", microseconds],
  timestampAsMicroseconds: ["timestamp", microseconds],
  timestamptzAsText: ["timestamptz", both("string")],
  timestampAsText: ["timestamp", both("string")],
  timestamptzAsTemporal: ["timestamptz", parsed("Temporal.Instant")],
  timestampAsTemporal: ["timestamp", parsed("Temporal.PlainDateTime")],
  jsonAsText: ["json", both("string")],
  jsonbAsText: ["jsonb", both("string")],
  hstore: ["hstore", parsed("Readonly<Record<string, string | null>>")],
  cube: ["cube", parsed("PgTypes.PgCube")],
  vector: ["vector", both("ReadonlyArray<number>")],
  halfvec: ["halfvec", both("ReadonlyArray<number>")],
  sparsevec: ["sparsevec", parsed("PgTypes.PgSparseVector")],
  geometry: ["geometry", parsed("PgTypes.PgGeometry")],
  geography: ["geography", parsed("PgTypes.PgGeometry")]
}

export const isCodec = (name: string): boolean => Object.hasOwn(CODECS, name)

/** How the project reads and writes types, by their names. */
export interface TypeSettings {
  /** The names of the codecs of `PgTypes` that the project uses. */
  readonly codecs: ReadonlyArray<string>
  /** Other types, in TypeScript. */
  readonly types: Readonly<Record<string, string | Partial<TsType>>>
}

/** Writes types of one database. */
export class TypeWriter {
  private readonly types: DatabaseTypes
  private readonly given: ReadonlyMap<string, TsType>

  constructor(types: DatabaseTypes, { codecs, types: written }: TypeSettings) {
    this.types = types
    const given = new Map<string, TsType>()
    for (const codec of codecs) {
      const [name, type] = CODECS[codec] ?? []
      if (name !== undefined && type !== undefined) given.set(name, type)
    }
    for (const [name, type] of Object.entries(written)) {
      const { row = "unknown", parameter = row } = typeof type === "string" ? { row: type } : type
      given.set(name, { row, parameter })
    }
    this.given = given
  }

  /** A value of a row, without `null`. The elements of an array may be NULL unless it is known that they are not. */
  row(oid: number, elementsAreThere = false): string {
    return this.of(oid, "row", elementsAreThere)
  }

  /** A value that is given to a parameter, without `null`. */
  parameter(oid: number): string {
    return this.of(oid, "parameter", false)
  }

  private of(oid: number, use: keyof TsType, elementsAreThere: boolean): string {
    const type = this.types.get(oid)
    if (type === undefined) return "unknown"
    const given = this.given.get(type.name) ?? this.given.get(type.sqlName)
    if (given !== undefined) return given[use]
    const inner = (innerUse: keyof TsType = use): string => this.of(type.inner, innerUse, false)
    switch (type.kind) {
      case "array":
        return arrayOf(elementsAreThere ? inner() : nullable(inner()))
      case "domain":
        return this.of(type.inner, use, elementsAreThere)
      case "enum":
        return type.labels.length === 0 ? "string" : type.labels.map((label) => JSON.stringify(label)).join(" | ")
      case "composite":
        return this.composite(type, use)
      case "range":
        return withText(`PgTypes.PgRange<${inner("row")}>`, use)
      case "multirange":
        return withText(arrayOf(inner("row")), use)
      case "base":
        return (type.schema === "pg_catalog" ? (BUILTIN[type.name] ?? STRING) : STRING)[use]
    }
  }

  private composite({ attributes }: DatabaseType, use: keyof TsType): string {
    if (attributes.length === 0) return "{}"
    const members = attributes.map(
      ({ name, type }) => `readonly ${propertyKey(name)}: ${nullable(this.of(type, use, false))}`
    )
    return `{ ${members.join("; ")} }`
  }
}

const withText = (text: string, use: keyof TsType): string => (use === "parameter" ? `${text} | string` : text)

const arrayOf = (element: string): string => `ReadonlyArray<${element}>`

export const nullable = (type: string): string => (type === "unknown" ? type : `${type} | null`)

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/

export const propertyKey = (name: string): string => (IDENTIFIER.test(name) ? name : JSON.stringify(name))
