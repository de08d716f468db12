/**
 * money: an Int64 count of the currency's smallest unit. Only the server knows how many of them make one unit of the
 * currency and how an amount is written, from its lc_monetary. So money is read and written as the server's text,
 * "$1,234.56". A number is not accepted, because SQL takes it for units of the currency, and others take it for the
 * smallest unit. If there is no text, in a record or in binary COPY, the value is a bigint of the smallest unit.
 */
import { Format } from "../wire/backendMessage.ts"
import { type Codec, refusedKind } from "./codec.ts"
import { int8 } from "./integer.ts"

export const money: Codec<string | bigint> = {
  name: "money",
  read: int8.read,
  write: (writer, value) => {
    if (typeof value !== "bigint")
      throw refusedKind("money", "a bigint of its smallest unit in the binary format", value)
    int8.write(writer, value)
  },
  writesStrings: false,
  formatOf: () => Format.text,
  textOf: (value) => {
    throw refusedKind("money", 'a string such as "12.34"', value)
  },
  resultFormat: Format.text
}
