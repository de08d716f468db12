/** Tests that functions which only make a value report a wrong argument in one of two ways, and in no other. */
import { assert, describe, it } from "@effect/vitest"
import { builders, functionOf, guards } from "./support/hostileCalls.ts"
import { sql as tag } from "../src/PgSql.ts"
import { hostileValues, OwnFault, pathsOf, withValueAt } from "./support/hostileValues.ts"

/** Everything that a function of this name throws, with one hostile value in each of its places. */
const thrownBy = (name: string, forms: ReadonlyArray<ReadonlyArray<unknown>>): ReadonlyArray<unknown> => {
  const built = builderOf(name)
  const thrown: Array<unknown> = []
  for (const given of forms) {
    for (const path of pathsOf(given)) {
      for (const [what, make] of hostileValues) {
        try {
          built(...withValueAt(given, path, make()))
        } catch (failure) {
          if (!(failure instanceof OwnFault)) thrown.push(`${what} at ${path.join(".")}: ${wordsOf(failure)}`)
        }
      }
    }
  }
  return thrown
}

/** `PgSql.sql.in` is a member of the tag. */
const builderOf = (name: string): ((...given: ReadonlyArray<unknown>) => unknown) => {
  const [module = "", member = "", part] = name.split(".")
  const found = functionOf(`${module}.${member}`)
  if (part === undefined) return found
  const method: unknown = Reflect.get(tag, part)
  if (typeof method !== "function") throw new Error(`there is no ${name}`)
  return (...given) => Reflect.apply(method, undefined, given) as unknown
}

const wordsOf = (failure: unknown): string => (failure instanceof Error ? `${failure.name}: ${failure.message}` : "?")

describe("a builder", () => {
  it("never throws if it is of PgSql: a faulty value fails when it is run", () => {
    const ofSql = Object.entries(builders).filter(([name]) => name.startsWith("PgSql."))
    assert.isAbove(ofSql.length, 5)
    for (const [name, forms] of ofSql) assert.deepStrictEqual(thrownBy(name, forms), [], name)
  })

  it("throws nothing but a TypeError that says what it takes if it is of PgTypes", () => {
    for (const [name, forms] of Object.entries(builders)) {
      if (!name.startsWith("PgTypes.")) continue
      const others = thrownBy(name, forms).filter((words) => !/: TypeError: PgTypes\.\w+ takes /.test(String(words)))
      assert.deepStrictEqual(others, [], name)
    }
  })

  it("is each listed function that asks no server, and a guard returns true or false for everything", () => {
    assert.isAbove(guards.length, 40)
    for (const name of guards) {
      for (const [what, make] of hostileValues) assert.isFalse(functionOf(name)(make()), `${name} of ${what}`)
    }
  })
})
