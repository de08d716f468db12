/**
 * The functions, operators and aggregates of PostgreSQL that never return NULL if no argument is NULL. The lists are short
 * of many that would belong here: what is missing only makes a column nullable that never is.
 */

/** What is known of a function. */
export interface KnownFunction {
  /** Empty if the function does not come with PostgreSQL. */
  readonly name: string
  /** With the types of its arguments: `lower(text)`. */
  readonly signature: string
  /** Whether it returns NULL whenever an argument is NULL. */
  readonly isStrict: boolean
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** All functions of these names. */
const FUNCTIONS = words(`
  initcap length char_length character_length octet_length bit_length btrim ltrim rtrim substr left right lpad rpad repeat
  replace reverse split_part strpos position translate md5 sha224 sha256 sha384 sha512 quote_ident quote_literal
  quote_nullable ascii chr starts_with regexp_replace regexp_count regexp_like regexp_split_to_array string_to_array
  abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 power pow mod div gcd lcm random pi degrees radians
  now clock_timestamp transaction_timestamp statement_timestamp timeofday date_trunc make_date make_time make_timestamp
  make_timestamptz make_interval justify_days justify_hours justify_interval gen_random_uuid uuidv4 uuidv7
  cardinality array_append array_prepend array_cat array_fill array_remove array_replace array_to_json row_to_json to_json
  to_jsonb jsonb_array_length json_array_length jsonb_typeof json_typeof jsonb_pretty jsonb_strip_nulls jsonb_set
  encode decode version current_database pg_backend_pid pg_typeof txid_current pg_current_xact_id isempty isfinite
  nextval currval lastval to_tsvector to_tsquery plainto_tsquery websearch_to_tsquery ts_rank ts_rank_cd
  int4range int8range numrange daterange tsrange tstzrange width_bucket
`)

/** Functions whose namesakes for other types may return NULL. */
const SIGNATURES = words(`
  lower(text) upper(text) substring(text,integer) substring(text,integer,integer)
`)

/** Functions that never return NULL, whatever their arguments are. */
const ALWAYS = words(`
  concat json_build_object jsonb_build_object json_build_array jsonb_build_array num_nulls num_nonnulls pg_typeof
  quote_nullable
`)

const OPERATORS = words("= <> < > <= >= + - * / % ^ || ~~ !~~ ~~* !~~* ~ !~ ~* !~* @> <@ && & | << >> ^@ @ |/")

/** Some operators of these types return NULL, such as the intersection of two lines that do not meet. */
const PARTIAL_TYPES = /\b(path|lseg|line|box|circle|polygon|point|jsonpath)\b/

/** JSON's null becomes NULL from PostgreSQL 18 on, if it is cast to another type. */
const FROM_JSON = /\(jsonb?\)$/

export const isNeverNullFunction = ({ name, signature }: KnownFunction): boolean =>
  FUNCTIONS.has(name) || SIGNATURES.has(signature)

export const isAlwaysThere = ({ name }: KnownFunction): boolean => ALWAYS.has(name)

export const isNeverNullCast = ({ name, signature }: KnownFunction): boolean =>
  name !== "" && !FROM_JSON.test(signature)

/** `operator` is the name of an operator that comes with PostgreSQL. */
export const isNeverNullOperator = (operator: string | undefined, { name, signature }: KnownFunction): boolean =>
  operator !== undefined && name !== "" && OPERATORS.has(operator) && !PARTIAL_TYPES.test(signature)

/** Aggregates that return NULL only if all their values are NULL. A group has at least one row. */
const OF_VALUES = words(`
  sum avg min max bool_and bool_or every bit_and bit_or string_agg json_object_agg jsonb_object_agg xmlagg
`)

/** Aggregates that return NULL only if there is no row. */
const OF_ROWS = words("array_agg json_agg jsonb_agg")

export const isCount = ({ name }: KnownFunction): boolean => name === "count" || name === "regr_count"
export const isNeverNullOfValues = ({ name }: KnownFunction): boolean => OF_VALUES.has(name)
export const isNeverNullOfRows = ({ name }: KnownFunction): boolean => OF_ROWS.has(name)

const RANKS = words("row_number rank dense_rank percent_rank cume_dist ntile")
/** They look at a row of the frame, which has at least the current one. */
const IN_FRAME = words("first_value last_value")
const BESIDE = words("lag lead")

export const isRank = ({ name }: KnownFunction): boolean => RANKS.has(name)
export const isInFrame = ({ name }: KnownFunction): boolean => IN_FRAME.has(name)
export const isBeside = ({ name }: KnownFunction): boolean => BESIDE.has(name)

/** Functions that return rows, no value of which is NULL. */
const SETS = words(`
  generate_series generate_subscripts regexp_split_to_table jsonb_object_keys json_object_keys
`)

export const isNeverNullSet = ({ name }: KnownFunction): boolean => SETS.has(name)
