/**
 * record: an anonymous row such as `ROW(1, 'a')`, read as an array of its values. Each field carries the OID of its
 * type and nothing else about it, so an unknown type must be looked up before the value can be read. PostgreSQL does
 * not accept anonymous rows as parameters.
 */
import type { Buffer } from "node:buffer"
import { Undecodable, Unencodable, UnresolvedType } from "../wire/failure.ts"
import type { Codec } from "./codec.ts"
import { eachField } from "./fields.ts"

/** What a record has to know about the types of its fields. */
export interface FieldTypes {
  codec(oid: number): Codec | undefined
  unknownAmong(oids: ReadonlyArray<number>): ReadonlyArray<number>
}

/** No server sends such deep nesting, but malicious bytes could. */
const MAX_DEPTH = 500

export const recordOf = (types: FieldTypes): Codec<ReadonlyArray<unknown>> => {
  let depth = 0

  /** Asks for all unknown types of the fields at once, if there are any. */
  const assertKnown = (bytes: Buffer, start: number, end: number): void => {
    const oids = new Set<number>()
    eachField("record", bytes, start, end, (_, oid) => void oids.add(oid))
    const unknown = types.unknownAmong([...oids])
    if (unknown.length === 0) return
    throw new UnresolvedType(
      `the client does not know the types of some fields of the record: ${unknown.join(", ")}`,
      unknown,
      {
        isOutdated: false
      }
    )
  }

  const readFields = (bytes: Buffer, start: number, end: number): ReadonlyArray<unknown> => {
    const values: Array<unknown> = []
    eachField("record", bytes, start, end, (_, oid, from, to) => {
      if (to < from) return values.push(null)
      const codec = types.codec(oid)
      if (codec !== undefined) return values.push(codec.read(bytes, from, to))
      assertKnown(bytes, start, end)
      throw new Undecodable(`the record has a field of type ${oid}, which has no binary form`)
    })
    return values
  }

  return {
    name: "record",
    read: (bytes, start, end) => {
      if (depth === MAX_DEPTH) throw new Undecodable(`the record is nested more than ${MAX_DEPTH} levels deep`)
      depth++
      try {
        return readFields(bytes, start, end)
      } finally {
        depth--
      }
    },
    write: () => {
      throw new Unencodable("PostgreSQL accepts no anonymous records; cast the parameter to a composite type")
    },
    writesStrings: false,
    ofText: () => {
      throw new Undecodable(
        "the text of a record does not tell the types of its fields; give the parameters without their types"
      )
    }
  }
}
