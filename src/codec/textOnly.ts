/**
 * The built-in types that are exchanged as text, because the server has no binary form for them, or one that only the
 * server itself understands.
 */
import { arrayOf } from "./array.ts"
import type { Codec } from "./codec.ts"
import { textOnlyOf } from "./derived.ts"
import { pgType } from "./oid.generated.ts"

export const aclitem: Codec = textOnlyOf("aclitem")
export const gtsvector: Codec = textOnlyOf("gtsvector")
export const pgNdistinct: Codec = textOnlyOf("pg_ndistinct")
export const pgDependencies: Codec = textOnlyOf("pg_dependencies")
export const pgMcvList: Codec = textOnlyOf("pg_mcv_list")
export const pgBrinBloomSummary: Codec = textOnlyOf("pg_brin_bloom_summary")
export const pgBrinMinmaxMultiSummary: Codec = textOnlyOf("pg_brin_minmax_multi_summary")

/** Arrays whose element type may differ in each row, as in pg_stats; they are read as arrays of texts. */
export const anyarray: Codec = { ...arrayOf(textOnlyOf("anyelement"), pgType.text.oid), name: "anyarray" }
