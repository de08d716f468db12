/** Maps every built-in type to its codec. */
import { arrayOf } from "./array.ts"
import { bit, varbit } from "./bit.ts"
import { bool } from "./boolean.ts"
import { bytea } from "./bytea.ts"
import {
  regclass,
  regcollation,
  regconfig,
  regdictionary,
  regnamespace,
  regoper,
  regoperator,
  regproc,
  regprocedure,
  regrole,
  regtype
} from "./regTypes.ts"
import { char } from "./char.ts"
import type { Codec } from "./codec.ts"
import { date } from "./date.ts"
import { float4, float8 } from "./float.ts"
import { box, circle, line, lseg, path, point, polygon } from "./geometry.ts"
import { cid, int2, int4, int8, oid, xid, xid8 } from "./integer.ts"
import { interval } from "./interval.ts"
import { json, jsonb, jsonpath } from "./json.ts"
import { money } from "./money.ts"
import { cidr, inet, macaddr, macaddr8 } from "./network.ts"
import { numeric } from "./numeric.ts"
import { type BuiltinType, pgType } from "./oid.generated.ts"
import { pgLsn, tid } from "./lsnAndTid.ts"
import { multirangeOf, rangeOf } from "./range.ts"
import { pgSnapshot, txidSnapshot } from "./snapshot.ts"
import { bpchar, cstring, name, pgNodeTree, refcursor, text, unknown, varchar, xml } from "./text.ts"
import {
  aclitem,
  anyarray,
  gtsvector,
  pgBrinBloomSummary,
  pgBrinMinmaxMultiSummary,
  pgDependencies,
  pgMcvList,
  pgNdistinct
} from "./textOnly.ts"
import { tsquery, tsvector } from "./textSearch.ts"
import { time, timetz } from "./time.ts"
import { timestamp, timestamptz } from "./timestamp.ts"
import { uuid } from "./uuid.ts"
import { int2vector, oidvector } from "./oidVector.ts"
import { voidType } from "./void.ts"

export interface TypeRegistry {
  /** The codec of a type; undefined if it has none, so that its values are sent as text. */
  codec(oid: number): Codec | undefined
  /** PostgreSQL's name of the type, for error messages: `int4[]` for an array, `type 12345` if it is unknown. */
  typeName(oid: number): string
}

interface BuiltinRange {
  readonly range: BuiltinType
  readonly multirange: BuiltinType
  readonly name: string
  readonly bound: BuiltinType
}

const builtinRanges: ReadonlyArray<BuiltinRange> = [
  { range: pgType.int4range, multirange: pgType.int4multirange, name: "int4", bound: pgType.int4 },
  { range: pgType.int8range, multirange: pgType.int8multirange, name: "int8", bound: pgType.int8 },
  { range: pgType.numrange, multirange: pgType.nummultirange, name: "num", bound: pgType.numeric },
  { range: pgType.daterange, multirange: pgType.datemultirange, name: "date", bound: pgType.date },
  { range: pgType.tsrange, multirange: pgType.tsmultirange, name: "ts", bound: pgType.timestamp },
  { range: pgType.tstzrange, multirange: pgType.tstzmultirange, name: "tstz", bound: pgType.timestamptz }
]

const builtinCodecs: ReadonlyArray<readonly [BuiltinType, Codec]> = [
  [pgType.bool, bool],
  [pgType.int2, int2],
  [pgType.int4, int4],
  [pgType.int8, int8],
  [pgType.oid, oid],
  [pgType.xid, xid],
  [pgType.cid, cid],
  [pgType.float4, float4],
  [pgType.float8, float8],
  [pgType.numeric, numeric],
  [pgType.text, text],
  [pgType.varchar, varchar],
  [pgType.bpchar, bpchar],
  [pgType.name, name],
  [pgType.cstring, cstring],
  [pgType.unknown, unknown],
  [pgType.xml, xml],
  [pgType.bytea, bytea],
  [pgType.uuid, uuid],
  [pgType.json, json],
  [pgType.jsonb, jsonb],
  [pgType.date, date],
  [pgType.time, time],
  [pgType.timetz, timetz],
  [pgType.timestamp, timestamp],
  [pgType.timestamptz, timestamptz],
  [pgType.interval, interval],
  [pgType.char, char],
  [pgType.bit, bit],
  [pgType.varbit, varbit],
  [pgType.money, money],
  [pgType.inet, inet],
  [pgType.cidr, cidr],
  [pgType.macaddr, macaddr],
  [pgType.macaddr8, macaddr8],
  [pgType.point, point],
  [pgType.line, line],
  [pgType.lseg, lseg],
  [pgType.box, box],
  [pgType.path, path],
  [pgType.polygon, polygon],
  [pgType.circle, circle],
  [pgType.tsvector, tsvector],
  [pgType.tsquery, tsquery],
  [pgType.jsonpath, jsonpath],
  [pgType.pg_lsn, pgLsn],
  [pgType.tid, tid],
  [pgType.xid8, xid8],
  [pgType.pg_snapshot, pgSnapshot],
  [pgType.txid_snapshot, txidSnapshot],
  [pgType.int2vector, int2vector],
  [pgType.oidvector, oidvector],
  [pgType.regproc, regproc],
  [pgType.regprocedure, regprocedure],
  [pgType.regoper, regoper],
  [pgType.regoperator, regoperator],
  [pgType.regclass, regclass],
  [pgType.regtype, regtype],
  [pgType.regconfig, regconfig],
  [pgType.regdictionary, regdictionary],
  [pgType.regnamespace, regnamespace],
  [pgType.regrole, regrole],
  [pgType.regcollation, regcollation],
  [pgType.refcursor, refcursor],
  [pgType.void, voidType],
  [pgType.pg_node_tree, pgNodeTree],
  [pgType.aclitem, aclitem],
  [pgType.gtsvector, gtsvector],
  [pgType.anyarray, anyarray],
  [pgType.pg_ndistinct, pgNdistinct],
  [pgType.pg_dependencies, pgDependencies],
  [pgType.pg_mcv_list, pgMcvList],
  [pgType.pg_brin_bloom_summary, pgBrinBloomSummary],
  [pgType.pg_brin_minmax_multi_summary, pgBrinMinmaxMultiSummary]
]

/** The delimiter of the text form of arrays: a semicolon for box, a comma for all others. */
const arrayDelimiter = (oid: number): string => (oid === pgType.box.oid ? ";" : ",")

/** Makes the codec of an array from the codec of its elements. */
export type MakeArray = (element: Codec, elementOid: number, delimiter?: string) => Codec

/**
 * Adds to the codecs in `given` those of the built-in types made from them: ranges, multiranges and arrays. It adds no
 * array whose element is not in `given`.
 */
export const withDerived = (
  given: ReadonlyMap<number, Codec>,
  makeArray: (elementName: string) => MakeArray
): ReadonlyMap<number, Codec> => {
  const codecs = new Map(given)
  const fill = (oid: number | undefined, make: () => Codec): void => {
    if (oid !== undefined && !codecs.has(oid)) codecs.set(oid, make())
  }
  for (const { bound, multirange, name, range } of builtinRanges) {
    const codec = given.get(bound.oid)
    if (codec === undefined) continue
    const rangeCodec = rangeOf(`${name}range`, codec)
    fill(range.oid, () => rangeCodec)
    fill(multirange.oid, () => multirangeOf(`${name}multirange`, codec, rangeCodec))
  }
  for (const [name, { arrayOid, oid }] of Object.entries<BuiltinType>(pgType)) {
    const element = codecs.get(oid)
    if (element !== undefined) fill(arrayOid, () => makeArray(name)(element, oid, arrayDelimiter(oid)))
  }
  return codecs
}

const codecs: ReadonlyMap<number, Codec> = withDerived(
  new Map(builtinCodecs.map(([{ oid }, codec]) => [oid, codec])),
  () => arrayOf
)

const names: ReadonlyMap<number, string> = new Map(
  Object.entries<BuiltinType>(pgType).flatMap(([name, { oid, arrayOid }]): ReadonlyArray<readonly [number, string]> => {
    if (arrayOid === undefined) return [[oid, name]]
    return [
      [oid, name],
      [arrayOid, `${name}[]`]
    ]
  })
)

/** The built-in types, each with its array. */
export const builtinTypes: TypeRegistry = {
  codec: (oid) => codecs.get(oid),
  typeName: (oid) => names.get(oid) ?? `type ${oid}`
}

export const isBuiltin = (oid: number): boolean => names.has(oid)

const arrayOids: ReadonlySet<number> = new Set(
  Object.values<BuiltinType>(pgType).flatMap(({ arrayOid }) => (arrayOid === undefined ? [] : [arrayOid]))
)

export const isBuiltinArray = (oid: number): boolean => arrayOids.has(oid)
