/** Programs of the cache oracle, as data: what is done, by which session, in which order. */
import {
  type Asked,
  type Change,
  CHANGES,
  COPIED,
  type Kind,
  KINDS,
  SETTINGS,
  STATEMENTS,
  type Way,
  WAYS
} from "./catalogue.ts"

/** One of the two sessions of the pool. */
export type Who = 0 | 1

export interface Call {
  readonly _tag: "Call"
  readonly who: Who
  readonly kind: Kind
  readonly asked: Asked
  readonly values: ReadonlyArray<unknown>
  /** The other statements of the same call, if it takes several. */
  readonly next: Asked
  readonly nextValues: ReadonlyArray<unknown>
  readonly copied: (typeof COPIED)[number]
}

export type Command =
  | Call
  | { readonly _tag: "Change"; readonly who: Who; readonly change: Change; readonly way: Way }
  | { readonly _tag: "ChangeByOther"; readonly change: Change }
  | { readonly _tag: "Set"; readonly who: Who; readonly sql: string }
  | { readonly _tag: "Begin"; readonly who: Who; readonly byHand: boolean }
  | { readonly _tag: "Savepoint"; readonly who: Who }
  | { readonly _tag: "Commit"; readonly who: Who }
  | { readonly _tag: "RollBack"; readonly who: Who }
  | { readonly _tag: "FailOver" }
  | { readonly _tag: "GiveBack"; readonly who: Who }
  | { readonly _tag: "Reload" }
  | { readonly _tag: "LifetimePasses" }
  /** Prepares a statement, or runs the prepared one. */
  | { readonly _tag: "Hold"; readonly who: Who; readonly asked: Asked }
  | { readonly _tag: "RunHeld"; readonly who: Who; readonly value: number }

/** The parts of a command: its kind, its session, and three choices. */
export type Numbers = readonly [number, number, number, number, number]

export const MAX_NUMBER = 999
const STATEMENTS_IN_FOCUS = 3

/** The objects that a text names. */
const thingsIn = ({ sql }: { readonly sql: string }): ReadonlyArray<string> => {
  if (sql.includes("SCHEMA")) return THINGS
  return THINGS.filter((thing) => new RegExp(`\\b${thing}\\b`).test(sql))
}
const THINGS = ["r", "t", "v", "f", "duo", "mood", "small"]

const of = <A>(all: ReadonlyArray<A>, number: number): A => {
  const found = all[number % all.length]
  if (found === undefined) throw new Error("a choice of nothing")
  return found
}

/** Mostly the first, which suits most often: refused commands show little. */
const valuesOf = ({ values }: Asked, number: number): ReadonlyArray<unknown> =>
  values === undefined ? [] : number % 2 === 0 ? of(values, 0) : of(values, (number - 1) / 2)

/** Few statements name the objects that change, so that they run again and again. */
export const programOf = (focus: number, numbers: ReadonlyArray<Numbers>): ReadonlyArray<Command> => {
  const stride = 1 + Math.floor(focus / STATEMENTS.length)
  const asked = Array.from({ length: STATEMENTS_IN_FOCUS }, (_, index) => of(STATEMENTS, focus + index * stride))
  const things = new Set(asked.flatMap(thingsIn))
  const changes = CHANGES.filter((change) => thingsIn(change).some((thing) => things.has(thing)))
  return numbers.map((each): Command => {
    const [what, session, first, second, third] = each
    const who: Who = session === 0 ? 0 : 1
    const share = what % 100
    if (share < 56) {
      const statement = of(asked, first)
      const next = of(asked, second)
      return {
        _tag: "Call",
        who,
        kind: of(KINDS, second),
        asked: statement,
        values: valuesOf(statement, third),
        next,
        nextValues: valuesOf(next, third),
        copied: of(COPIED, first)
      }
    }
    if (share < 68) return { _tag: "Change", who, change: of([...changes, ...CHANGES], first), way: of(WAYS, second) }
    if (share < 73) return { _tag: "ChangeByOther", change: of([...changes, ...CHANGES], first) }
    if (share < 78) return { _tag: "Set", who, sql: of(SETTINGS, first) }
    if (share < 82) return { _tag: "Begin", who, byHand: second % 4 === 3 }
    if (share < 84) return { _tag: "Savepoint", who }
    if (share < 89) return { _tag: "Commit", who }
    if (share < 92) return { _tag: "RollBack", who }
    if (share < 93) return { _tag: "FailOver" }
    if (share < 95) return { _tag: "GiveBack", who }
    if (share < 96) return { _tag: "Reload" }
    if (share < 97) return { _tag: "LifetimePasses" }
    if (share < 98) return { _tag: "Hold", who, asked: of(asked, first) }
    return { _tag: "RunHeld", who, value: third }
  })
}

/** A program in a readable form. */
export const describe = (program: ReadonlyArray<Command>): string =>
  program.map((command) => `  ${describeCommand(command)}`).join("\n")

export const describeCommand = (command: Command): string => {
  const who = "who" in command ? `session ${command.who}: ` : ""
  switch (command._tag) {
    case "Call": {
      const { asked, copied, kind, next, nextValues, values } = command
      if (kind === "copyInRows")
        return `${who}copyInRows ${copied.table} (${String(copied.columns)}) ${show(copied.rows)}`
      const more = kind.startsWith("batch") || kind === "concurrent" ? ` and ${next.sql} ${show(nextValues)}` : ""
      return `${who}${kind}: ${asked.sql} ${show(values)}${more}`
    }
    case "Change":
      return `${who}by ${command.way}: ${command.change.sql}`
    case "ChangeByOther":
      return `somebody else: ${command.change.sql}`
    case "Set":
      return `${who}${command.sql}`
    case "Begin":
      return `${who}Begin${command.byHand ? " in SQL" : ""}`
    case "Hold":
      return `${who}prepare and keep: ${command.asked.sql}`
    case "RunHeld":
      return `${who}run what is kept, with values ${command.value}`
    default:
      return `${who}${command._tag}`
  }
}

const show = (values: unknown): string =>
  JSON.stringify(values, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value))
