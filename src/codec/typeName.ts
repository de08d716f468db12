/** What a type is called in pg_type, for those that SQL calls otherwise; and which names every server has. */
import { type BuiltinType, pgType } from "./oid.generated.ts"

/** SQL's own names, in lower case. */
const aliases: ReadonlyMap<string, string> = new Map([
  ["bigint", "int8"],
  ["bit varying", "varbit"],
  ["boolean", "bool"],
  ["character", "bpchar"],
  ["character varying", "varchar"],
  ["dec", "numeric"],
  ["decimal", "numeric"],
  ["double precision", "float8"],
  ["int", "int4"],
  ["integer", "int4"],
  ["real", "float4"],
  ["smallint", "int2"],
  ["time with time zone", "timetz"],
  ["time without time zone", "time"],
  ["timestamp with time zone", "timestamptz"],
  ["timestamp without time zone", "timestamp"]
])

const builtins: ReadonlyMap<string, BuiltinType> = new Map(Object.entries(pgType))

export const CATALOGUE_SCHEMA = "pg_catalog"
export const DEFAULT_SCHEMA = "public"

export interface QualifiedName {
  readonly schema: string
  readonly name: string
}

/** Without a schema a type of every server is meant where there is one of that name, and else one in `public`. */
export const qualified = (name: string, schema: string | undefined): QualifiedName => {
  if (schema !== undefined && schema !== CATALOGUE_SCHEMA) return { schema, name }
  const catalogueName = aliases.get(name.toLowerCase()) ?? name
  return { schema: schema ?? (builtins.has(catalogueName) ? CATALOGUE_SCHEMA : DEFAULT_SCHEMA), name: catalogueName }
}

/** Undefined where no server has it. */
export const builtinNamed = (name: string): BuiltinType | undefined => builtins.get(name)
