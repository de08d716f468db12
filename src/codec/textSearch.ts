/**
 * tsvector and tsquery, as the text that the server prints. Strings are sent as text, because only the server can parse
 * everything that it accepts; a tsvector can also be written in binary from the text that it is read as.
 *
 * tsvector:
 * ```
 * Int32  number of lexemes
 * for each lexeme: the lexeme and a NUL, Int16 number of positions, for each of them Int16 weight << 14 | position
 * ```
 * tsquery, every operator before its operands, the right operand first:
 * ```
 * Int32  number of operands and operators
 * for each operand: Byte 1, Byte weights, Byte 1 if it is a prefix, the lexeme and a NUL
 * for each operator: Byte 2, Byte operator, for a phrase Int16 distance
 * ```
 */
import type { Buffer } from "node:buffer"
import type { ByteWriter } from "../wire/byteWriter.ts"
import { Undecodable, Unencodable } from "../wire/failure.ts"
import { int32At, uint16At } from "./bigEndian.ts"
import { type Codec, refusedKind } from "./codec.ts"
import { readText } from "./text.ts"

const quote = (lexeme: string): string => `'${lexeme.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`

/** A cursor over the bytes of one value. */
class Bytes {
  private readonly name: string
  private readonly bytes: Buffer
  private readonly end: number
  private at: number

  constructor(name: string, bytes: Buffer, start: number, end: number) {
    this.name = name
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  private advance(count: number): number {
    const at = this.at
    if (count > this.end - at) throw new Undecodable(`the ${this.name} ends too early`)
    this.at = at + count
    return at
  }

  uint8(): number {
    return this.bytes[this.advance(1)]!
  }

  uint16(): number {
    return uint16At(this.bytes, this.advance(2))
  }

  int32(): number {
    return int32At(this.bytes, this.advance(4))
  }

  lexeme(): string {
    const start = this.at
    const zero = this.bytes.indexOf(0, start)
    if (zero < 0 || zero >= this.end) throw new Undecodable(`the ${this.name} has a lexeme that does not end`)
    this.at = zero + 1
    return readText(this.bytes, start, zero)
  }

  expectEnd(): void {
    if (this.at !== this.end) throw new Undecodable(`the ${this.name} has ${this.end - this.at} bytes too many`)
  }
}

const WEIGHT_SHIFT = 14
const MAX_POSITION = 0x3fff
/** The weights of a position from 0 on; the lowest is not printed. */
const WEIGHTS = ["", "C", "B", "A"]

const formatPosition = (position: number): string => `${position & MAX_POSITION}${WEIGHTS[position >> WEIGHT_SHIFT]}`

const VECTOR_ENTRY = /'((?:[^'\\]|''|\\\\)+)'(?::(\d{1,5}[ABC]?(?:,\d{1,5}[ABC]?)*))?(?: |$)/y

const parsePosition = (text: string): number => {
  const weight = WEIGHTS.indexOf(text.replace(/\d+/, ""))
  return (weight << WEIGHT_SHIFT) | Number.parseInt(text, 10)
}

const writeVector = (writer: ByteWriter, text: string): void => {
  const mark = writer.reserveInt32()
  let count = 0
  VECTOR_ENTRY.lastIndex = 0
  for (let at = 0; at < text.length; at = VECTOR_ENTRY.lastIndex) {
    const entry = VECTOR_ENTRY.exec(text)
    if (entry === null)
      throw new Unencodable("tsvector takes text in the form that the server prints, such as 'a':1A,2 'b'")
    const [, lexeme = "", positions] = entry
    writer.cstring(lexeme.replaceAll("''", "'").replaceAll("\\\\", "\\"))
    const parsed = positions === undefined ? [] : positions.split(",").map(parsePosition)
    writer.int16(parsed.length)
    for (const position of parsed) writer.int16(position)
    count++
  }
  writer.backfillInt32(mark, count)
}

export const tsvector: Codec<string> = {
  name: "tsvector",
  read: (bytes, start, end) => {
    const vector = new Bytes("tsvector", bytes, start, end)
    const lexemes: Array<string> = []
    for (let left = vector.int32(); left > 0; left--) {
      const lexeme = quote(vector.lexeme())
      const positions: Array<string> = []
      for (let left = vector.uint16(); left > 0; left--) positions.push(formatPosition(vector.uint16()))
      lexemes.push(positions.length === 0 ? lexeme : `${lexeme}:${positions.join(",")}`)
    }
    vector.expectEnd()
    return lexemes.join(" ")
  },
  write: (writer, value) => {
    if (typeof value !== "string") throw refusedKind("tsvector", "a string", value)
    writeVector(writer, value)
  },
  writesStrings: false
}

const Item = { operand: 1, operator: 2 } as const
const Operator = { not: 1, and: 2, or: 3, phrase: 4 } as const
/** How tightly the operators bind, by their number; an operand binds tightest. */
const PRECEDENCE = [0, 4, 2, 1, 3]
const OPERAND_PRECEDENCE = 5
/** The weights that an operand is restricted to, by the bit that stands for each. */
const WEIGHT_BITS = [
  ["A", 8],
  ["B", 4],
  ["C", 2],
  ["D", 1]
] as const

interface OperandItem {
  readonly type: typeof Item.operand
  readonly text: string
}

interface OperatorItem {
  readonly type: typeof Item.operator
  readonly operator: number
  readonly distance: number
}

const readOperand = (query: Bytes): OperandItem => {
  const weights = query.uint8()
  const isPrefix = query.uint8() !== 0
  const lexeme = quote(query.lexeme())
  const letters = WEIGHT_BITS.map(([letter, bit]) => ((weights & bit) === 0 ? "" : letter)).join("")
  const suffix = (isPrefix ? "*" : "") + letters
  return { type: Item.operand, text: suffix === "" ? lexeme : `${lexeme}:${suffix}` }
}

const readOperator = (query: Bytes): OperatorItem => {
  const operator = query.uint8()
  if (operator < Operator.not || operator > Operator.phrase)
    throw new Undecodable("the tsquery has an unknown operator")
  return { type: Item.operator, operator, distance: operator === Operator.phrase ? query.uint16() : 0 }
}

const readItem = (query: Bytes): OperandItem | OperatorItem => {
  const type = query.uint8()
  if (type === Item.operand) return readOperand(query)
  if (type === Item.operator) return readOperator(query)
  throw new Undecodable("the tsquery has an item that is neither an operand nor an operator")
}

const symbolOf = ({ distance, operator }: OperatorItem): string => {
  if (operator === Operator.and) return "&"
  if (operator === Operator.or) return "|"
  return distance === 1 ? "<->" : `<${distance}>`
}

/** A part of a query that has been printed, and how tightly it binds. */
interface Printed {
  readonly text: string
  readonly precedence: number
}

const within = ({ precedence, text }: Printed, isLoose: boolean): string =>
  isLoose && precedence < OPERAND_PRECEDENCE ? `( ${text} )` : text

/** Prints an operator with the operands that were printed last. */
const print = (item: OperatorItem, printed: Array<Printed>): Printed => {
  const precedence = PRECEDENCE[item.operator]!
  const right = printed.pop()
  const left = item.operator === Operator.not ? undefined : printed.pop()
  if (right === undefined || (left === undefined && item.operator !== Operator.not)) {
    throw new Undecodable("the tsquery has an operator without its operand")
  }
  if (left === undefined) return { text: `!${within(right, right.precedence < precedence)}`, precedence }
  // A phrase associates to the left, so a phrase on the right of another one needs parentheses.
  const isLoose =
    right.precedence < precedence || (item.operator === Operator.phrase && right.precedence === precedence)
  const text = `${within(left, left.precedence < precedence)} ${symbolOf(item)} ${within(right, isLoose)}`
  return { text, precedence }
}

export const tsquery: Codec<string> = {
  name: "tsquery",
  read: (bytes, start, end) => {
    const query = new Bytes("tsquery", bytes, start, end)
    const items: Array<OperandItem | OperatorItem> = []
    for (let left = query.int32(); left > 0; left--) items.push(readItem(query))
    query.expectEnd()
    const printed: Array<Printed> = []
    for (const item of items.toReversed()) {
      if (item.type === Item.operand) printed.push({ text: item.text, precedence: OPERAND_PRECEDENCE })
      else printed.push(print(item, printed))
    }
    if (printed.length > 1) throw new Undecodable("the tsquery has operands that no operator joins")
    return printed[0]?.text ?? ""
  },
  write: (_writer, value) => {
    if (typeof value !== "string") throw refusedKind("tsquery", "a string", value)
    throw new Unencodable("tsquery can be sent only as text, and this request needs the binary format")
  },
  writesStrings: false
}
