/**
 * SASLprep (RFC 4013) as PostgreSQL applies it to the passwords of SCRAM, on both sides: Unicode spaces become spaces,
 * invisible characters are removed, and the rest is normalized to NFKC. A password that SASLprep forbids is used
 * unchanged, so that every password that can be set can also be used: with emoji and other characters newer than
 * Unicode 3.2, and with text in both directions.
 *
 * PostgreSQL looks for forbidden characters before it normalizes. This file does, too, because the server stores the
 * result.
 */
import { LEFT_TO_RIGHT, RIGHT_TO_LEFT, UNASSIGNED } from "./stringprep.generated.ts"

export const saslPrep = (password: string): string => {
  if (/^[ -~]*$/.test(password)) return password
  const mapped = password.replace(SPACES, " ").replace(MAPPED_TO_NOTHING, "")
  return mapped === "" || isForbidden(mapped) ? password : mapped.normalize("NFKC")
}

/** RFC 3454 C.1.2. */
const SPACES = /[\u{a0}\u{1680}\u{2000}-\u{200b}\u{202f}\u{205f}\u{3000}]/gu

/** RFC 3454 B.1. */
const MAPPED_TO_NOTHING =
  /\u{34f}|\u{200d}|[\u{180b}-\u{180d}]|[\u{fe00}-\u{fe0f}]|[\u{ad}\u{1806}\u{200c}\u{2060}\u{feff}]/gu

/** RFC 4013 section 2.3, without the spaces, which have become plain ones by then. */
const PROHIBITED =
  /\u{340}|\u{341}|[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u{2028}\u{2029}\u{6dd}\u{70f}\u{180e}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2061}-\u{2063}\u{206a}-\u{206f}\u{2ff0}-\u{2ffb}\u{fff9}-\u{fffd}\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/u

const isForbidden = (mapped: string): boolean => {
  if (PROHIBITED.test(mapped)) return true
  const { leftToRight, rightToLeft, unassigned } = (tables ??= madeTables())
  if (unassigned.test(mapped)) return true
  if (!rightToLeft.test(mapped)) return false
  const characters = [...mapped]
  return (
    leftToRight.test(mapped) || !rightToLeft.test(characters[0] ?? "") || !rightToLeft.test(characters.at(-1) ?? "")
  )
}

/** Made for the first password that needs them, because few do. */
let tables: ReturnType<typeof madeTables> | undefined

const madeTables = () => ({
  unassigned: oneOf(UNASSIGNED),
  rightToLeft: oneOf(RIGHT_TO_LEFT),
  leftToRight: oneOf(LEFT_TO_RIGHT)
})

/** Returns an expression that matches one character of a table. */
const oneOf = (table: string): RegExp =>
  new RegExp(
    `[${table
      .trim()
      .replaceAll(/[\da-f]+/g, "\\u{$&}")
      .replaceAll(/\s/g, "")}]`,
    "u"
  )
