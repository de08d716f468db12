/**
 * The types of every server that travel as text, because it has no binary form of them, or none that says anything to
 * others than itself.
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

/** Arrays of another element type in each row, such as those of pg_stats: they are read as arrays of texts. */
export const anyarray: Codec = { ...arrayOf(textOnlyOf("anyelement"), pgType.text.oid), name: "anyarray" }
