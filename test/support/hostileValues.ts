/** Values that plain JavaScript, a cast or a parsed body can pass to a call in the place of the right ones. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/**
 * What the traps, getters and iterators of the values throw: it belongs to an argument, and is not a defect of a call.
 */
export class Trap extends Error {
  override readonly name = "Trap"
}

/**
 * What a function of the user throws when it is called. That is the user's, and dies as it does everywhere in Effect.
 */
export class OwnFault extends Error {
  override readonly name = "OwnFault"
}

const trap = (): never => {
  throw new Trap("a trap")
}

const ownFault = (): never => {
  throw new OwnFault("a function of the user")
}

const trappedProxy = (target: object): object => {
  const names = Object.getOwnPropertyNames(Reflect) as Array<keyof ProxyHandler<object>>
  const called = { apply: ownFault, construct: ownFault }
  return new Proxy(target, { ...Object.fromEntries(names.map((name) => [name, trap])), ...called })
}

const revoked = (target: object): object => {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

const cyclicObject = (): object => {
  const self: Record<string, unknown> = { a: 1 }
  self["self"] = self
  return self
}

const cyclicArray = (): ReadonlyArray<unknown> => {
  const self: Array<unknown> = [1]
  self.push(self)
  return self
}

const detached = (): ArrayBuffer => {
  const buffer = new ArrayBuffer(8)
  structuredClone(buffer, { transfer: [buffer] })
  return buffer
}

const detachedView = (): Uint8Array => {
  const view = new Uint8Array(8)
  structuredClone(view.buffer, { transfer: [view.buffer] })
  return view
}

const throwingArray = (): ReadonlyArray<unknown> =>
  Object.defineProperty([1, 2], 1, { get: trap, enumerable: true, configurable: true })

/** Each value by its description, made anew for each call, because some are changed by their use. */
export const hostileValues: ReadonlyArray<readonly [what: string, make: () => unknown]> = [
  ["undefined", () => undefined],
  ["null", () => null],
  ["true", () => true],
  ["false", () => false],
  ["0", () => 0],
  ["-0", () => -0],
  ["-1", () => -1],
  ["1.5", () => 1.5],
  ["NaN", () => NaN],
  ["Infinity", () => Infinity],
  ["-Infinity", () => -Infinity],
  ["2^31", () => 2 ** 31],
  ["2^53", () => 2 ** 53],
  ["1e308", () => 1e308],
  ["1n", () => 1n],
  ["2n^70n", () => 2n ** 70n],
  ["an empty string", () => ""],
  ["a string", () => "text"],
  ["a NUL", () => "a\0b"],
  ["half a surrogate pair", () => "a\ud800b"],
  ["a string of 1 MiB", () => "x".repeat(1 << 20)],
  ["a string of quotes", () => `'"\\$1;--/*`],
  ["a symbol", () => Symbol("s")],
  ["an empty object", () => ({})],
  ["an object without prototype", () => Object.assign(Object.create(null), { sql: "SELECT 1" })],
  ["a parsed __proto__", () => JSON.parse('{"__proto__":{"timeout":1},"constructor":1}') as unknown],
  ["a frozen object", () => Object.freeze({ a: Object.freeze([1]) })],
  [
    "an object whose getters throw",
    () => Object.defineProperty({ sql: "" }, "timeout", { get: trap, enumerable: true })
  ],
  ["an object with a symbol", () => ({ [Symbol("key")]: 1 })],
  ["a proxy that throws", () => trappedProxy({})],
  ["a proxy of an array that throws", () => trappedProxy([])],
  ["a proxy of a function that throws", () => trappedProxy(() => {})],
  ["a revoked proxy", () => revoked({})],
  ["a revoked proxy of an array", () => revoked([])],
  ["a cyclic object", cyclicObject],
  ["an object that looks like an array", () => ({ length: 5, 0: 1 })],
  ["an object whose toString throws", () => ({ toString: trap, valueOf: trap, [Symbol.toPrimitive]: trap })],
  ["an object whose toJSON throws", () => ({ toJSON: trap })],
  ["an object that can be waited for", () => Object.fromEntries([[`th${"en"}`, trap]])],
  ["an empty array", () => []],
  ["an array with holes", () => [, 1, , 2]], // oxlint-disable-line no-sparse-arrays
  ["an array of nothing but holes", () => Object.assign([], { length: 5 })],
  ["an array of everything", () => [undefined, null, NaN, Symbol("s"), () => {}, {}, [[]], 1n, "\0"]],
  ["an array whose getter throws", throwingArray],
  ["a cyclic array", cyclicArray],
  ["a deep array", () => Array.from({ length: 50 }).reduce<Array<unknown>>((inner) => [inner], [1])],
  ["an array that iterates otherwise", () => Object.assign([1], { [Symbol.iterator]: trap })],
  ["an iterable that throws", () => ({ [Symbol.iterator]: trap })],
  ["an iterable whose iterator throws", () => ({ [Symbol.iterator]: () => ({ next: trap }) })],
  ["an iterable without an iterator", () => ({ [Symbol.iterator]: () => 5 })],
  ["an iterable without results", () => ({ [Symbol.iterator]: () => ({ next: () => 5 }) })],
  [
    "an iterable whose return throws",
    () => ({ [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 5 }), return: trap }) })
  ],
  [
    "a generator that throws",
    () =>
      (function* () {
        yield [1]
        trap()
      })()
  ],
  ["a function", () => () => 5],
  ["a function that throws", () => ownFault],
  ["an asynchronous function", () => async () => 5],
  ["a generator function", () => function* () {}],
  ["a class", () => Date],
  ["an invalid date", () => new Date(NaN)],
  ["a date", () => new Date(0)],
  ["a regular expression", () => /x/g],
  ["a map", () => new Map([["timeout", 1]])],
  ["a set", () => new Set([1, [2]])],
  ["a promise", () => Promise.resolve(1)],
  ["an error", () => new Error("an error")],
  ["a string object", () => new String("SELECT 1")], // oxlint-disable-line no-new-wrappers
  ["a detached buffer", detached],
  ["a detached view", detachedView],
  ["a shared view", () => new Uint8Array(new SharedArrayBuffer(4))],
  [
    "a view of a buffer that can shrink",
    () => new Uint8Array(Reflect.construct(ArrayBuffer, [4, { maxByteLength: 8 }]) as ArrayBuffer)
  ],
  ["a view of numbers", () => Uint16Array.of(1, 2)],
  ["a view of bigints", () => BigInt64Array.of(1n)],
  ["a DataView", () => new DataView(new ArrayBuffer(4))],
  ["bytes", () => Uint8Array.of(1, 2, 3)],
  ["an Effect", () => Effect.succeed(1)],
  ["a Stream", () => Stream.make(1)],
  ["a Schema", () => Schema.Never],
  ["a secret", () => Redacted.make("text")],
  ["a secret of another kind", () => Redacted.make({ a: 1 })]
]

// ------------------------------------------------------------------------------------------------- places

export type Path = ReadonlyArray<string | number>

const isPlain = (value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)

/** The places within the arguments of a sound call: each argument, each option, each element. */
export const pathsOf = (value: unknown, path: Path = []): ReadonlyArray<Path> => {
  const own = path.length === 0 ? [] : [path]
  if (!isPlain(value)) return own
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  return [...own, ...keys.flatMap((key) => pathsOf(Reflect.get(value, key), [...path, key]))]
}

/**
 * The arguments with another value in one place. If another hostile value already stands around that place, and throws
 * when it is read, it stays as it is.
 */
export const withValueAt = <A>(value: A, [key, ...rest]: Path, hostile: unknown): A => {
  if (key === undefined) return hostile as A
  try {
    if (!isPlain(value)) return value
    const copy: object = Array.isArray(value) ? [...value] : { ...value }
    Reflect.set(copy, key, withValueAt(Reflect.get(value, key) as unknown, rest, hostile))
    return copy as A
  } catch {
    return value
  }
}

/** Numbers from a seed, so that a failure can be seen again (mulberry32). */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
