/** Translates SQL's type names to those in pg_type, and knows the names of the built-in types. */
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

interface NamedType {
  readonly oid: number
  readonly isArray: boolean
}

/** The built-in types by their names in pg_type, where the name of an array begins with `_`. */
const builtins: ReadonlyMap<string, NamedType> = new Map(
  Object.entries<BuiltinType>(pgType).flatMap(
    ([name, { arrayOid, oid }]): ReadonlyArray<readonly [string, NamedType]> => [
      [name, { oid, isArray: false }],
      ...(arrayOid === undefined ? [] : [[`_${name}`, { oid: arrayOid, isArray: true }] as const])
    ]
  )
)

const ARRAY_SUFFIX = "[]"

export const CATALOGUE_SCHEMA = "pg_catalog"
export const DEFAULT_SCHEMA = "public"

export interface QualifiedName {
  readonly schema: string
  readonly name: string
}

/** Without a schema: the built-in type of that name if there is one, otherwise the type in `public`. */
export const qualified = (name: string, schema: string | undefined): QualifiedName => {
  if (schema !== undefined && schema !== CATALOGUE_SCHEMA) return { schema, name }
  const isArray = name.endsWith(ARRAY_SUFFIX)
  const elementName = isArray ? name.slice(0, -ARRAY_SUFFIX.length).trimEnd() : name
  const known = aliases.get(elementName.toLowerCase()) ?? elementName
  // A user-defined array type keeps the suffix, because the server chooses its name in pg_type.
  const catalogueName = isArray ? (builtins.has(`_${known}`) ? `_${known}` : `${known}${ARRAY_SUFFIX}`) : known
  return { schema: schema ?? (builtins.has(catalogueName) ? CATALOGUE_SCHEMA : DEFAULT_SCHEMA), name: catalogueName }
}

/** Undefined if the name is not that of a built-in type. */
export const builtinNamed = (name: string): NamedType | undefined => builtins.get(name)
