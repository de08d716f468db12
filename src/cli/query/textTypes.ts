/** The types of a database as a terminal shows them: every value is the server's own text, whatever its type. */
import type { Codec } from "../../codec/codec.ts"
import { DatabaseTypes } from "../../codec/databaseTypes.ts"

class TextTypes extends DatabaseTypes {
  /** Without a codec, a value is exchanged as text. */
  override codec(_oid: number): Codec | undefined {
    return undefined
  }

  override isFixed(_oid: number): boolean {
    return false
  }

  /** Nothing has to be looked up. */
  override unknownAmong(_oids: ReadonlyArray<number>): ReadonlyArray<number> {
    return []
  }
}

export const TEXT_TYPES: DatabaseTypes = new TextTypes()
