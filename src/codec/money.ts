/**
 * money: Int64 count of the currency's smallest unit. How many of those make one of the currency, and how it is written,
 * only the server knows, by its lc_monetary. So it is read and written as the server's text, "$1,234.56". A number is
 * not taken: SQL takes it for units of the currency, others for the smallest. Where there is no text, in a record and in
 * binary COPY, it is the bigint of its smallest unit.
 */
import { Format } from "../wire/backendMessage.ts"
import { type Codec, refusedKind } from "./codec.ts"
import { int8 } from "./integer.ts"

export const money: Codec<string | bigint> = {
  name: "money",
  read: int8.read,
  write: (writer, value) => {
    if (typeof value !== "bigint") throw refusedKind("money", "a bigint of its smallest unit in binary", value)
    int8.write(writer, value)
  },
  writesStrings: false,
  formatOf: () => Format.text,
  textOf: (value) => {
    throw refusedKind("money", 'its text, such as "12.34"', value)
  },
  resultFormat: Format.text
}
