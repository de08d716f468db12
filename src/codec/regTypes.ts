/**
 * The reg types, such as regclass: OIDs of catalog rows that the server prints as names. Only the server knows the
 * names, so values are read as the server's text ("pg_class"). As parameters, names are accepted as well as OIDs in
 * numbers and bigints. A binary value contains no name: there the value is read as the digits of the OID, which the
 * server also accepts in place of a name.
 */
import { Format } from "../wire/backendMessage.ts"
import type { Codec } from "./codec.ts"
import { unsigned } from "./integer.ts"

const DIGITS = /^\d{1,10}$/

const catalogueName = (name: string): Codec<string> => {
  const { read, write } = unsigned(name)
  return {
    name,
    read: (bytes, start, end) => String(read(bytes, start, end)),
    write: (writer, value) => write(writer, typeof value === "string" && DIGITS.test(value) ? Number(value) : value),
    writesStrings: false,
    resultFormat: Format.text
  }
}

export const regproc: Codec<string> = catalogueName("regproc")
export const regprocedure: Codec<string> = catalogueName("regprocedure")
export const regoper: Codec<string> = catalogueName("regoper")
export const regoperator: Codec<string> = catalogueName("regoperator")
export const regclass: Codec<string> = catalogueName("regclass")
export const regtype: Codec<string> = catalogueName("regtype")
export const regconfig: Codec<string> = catalogueName("regconfig")
export const regdictionary: Codec<string> = catalogueName("regdictionary")
export const regnamespace: Codec<string> = catalogueName("regnamespace")
export const regrole: Codec<string> = catalogueName("regrole")
export const regcollation: Codec<string> = catalogueName("regcollation")
