/**
 * What TypeScript infers and shows when a program handles errors: the names of the application's own errors and
 * `PgError`, in a hover and in a declaration file. A program that has installed the package is asked about it in the
 * editors of TypeScript 5.9 and 7, also about calls that are being written.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import { afterAll, beforeAll } from "vitest"
import * as ClientError from "../src/error/clientError.ts"
import * as ConnectionError from "../src/error/connectionError.ts"
import * as ReplicationError from "../src/error/replicationError.ts"
import { sqlStates } from "../src/error/sqlState.generated.ts"
import { optionNames } from "../src/config/source/names.ts"
import * as calls from "./fixtures/unfinishedCalls.ts"
import { handled, handledProgram, offered, repositories, unfinishedProgram } from "./fixtures/handledErrors.ts"
import { sqlClientPrograms } from "./fixtures/sqlClientPrograms.ts"
import { compile, makeConsumer } from "./support/consumer.ts"
import { type Editor, type Editor59, openIn59, openIn7 } from "./support/editors.ts"

/** It builds the package. */
const SETUP_TIMEOUT_MILLIS = 120_000
const SLOW = { timeout: 120_000 }

let consumer: string
let editor59: Editor59
let editor7: Editor

beforeAll(async () => {
  consumer = await makeConsumer({
    "handled.ts": handledProgram,
    "unfinished.ts": unfinishedProgram,
    "calls.ts": calls.program,
    ...repositories,
    ...sqlClientPrograms
  })
  editor59 = openIn59(consumer)
  editor7 = await openIn7(consumer)
}, SETUP_TIMEOUT_MILLIS)

afterAll(() => {
  editor59.close()
  editor7.close()
  fs.rmSync(consumer, { recursive: true, force: true })
})

const tags = [
  ...Object.values(sqlStates).flatMap((codes) => Object.values(codes)),
  "UnknownPostgresError",
  ...Object.keys(ConnectionError),
  ...Object.keys(ClientError),
  ...Object.keys(ReplicationError)
].toSorted()

/** The error in the type of an effect. The two versions of TypeScript list the members of a union in different orders. */
const errorOf = (type: string): string => {
  const [, error = `no effect: ${type}`] = /Effect\.Effect<number, (.*), never>;?$/.exec(type) ?? []
  return error.split(" | ").toSorted().join(" | ")
}

const expected = Object.fromEntries(Object.entries(handled).map(([name, { remains }]) => [name, remains]))

/** What each constant of a declaration file fails with. */
const declaredErrors = (declarations: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...declarations.matchAll(/^export declare const (\w+): (.*)$/gm)]
      .filter(([, name = ""]) => name in handled)
      .map(([, name = "", type = ""]) => [name, errorOf(type)])
  )

const editors: ReadonlyArray<readonly [string, () => Editor]> = [
  ["TypeScript 5.9", () => editor59],
  ["TypeScript 7", () => editor7]
]

describe.each(editors)("an error that a program handles, in the editor of %s", (_, editor) => {
  it("leaves the application's errors and PgError in the type that a hover shows", SLOW, async () => {
    const shown: Record<string, string> = {}
    for (const name of Object.keys(handled)) {
      const position = handledProgram.indexOf(`const ${name} =`) + "const ".length
      shown[name] = errorOf(await editor().hover("handled.ts", position))
    }
    assert.deepStrictEqual(shown, expected)
  })

  it("is underlined only if its name is misspelt", SLOW, async () => {
    assert.deepStrictEqual(await editor().errors("handled.ts"), [])
    assert.isNotEmpty(await editor().errors("unfinished.ts"))
  })

  it.each(Object.entries(offered))("is offered by its tag: %s", SLOW, async (_, place) => {
    const position = unfinishedProgram.indexOf(place) + place.length
    assert.deepStrictEqual((await editor().completions("unfinished.ts", position)).toSorted(), tags)
  })
})

describe.each(editors)("a call that is being written, in the editor of %s", (_, editor) => {
  const offers = async (place: string) => editor().completions("calls.ts", calls.positionOf(place))

  it.each(Object.entries(calls.keysOffered))("is offered its options: %s", SLOW, async (place, names) => {
    assert.includeMembers([...(await offers(place))], [...names])
  })

  it.each(Object.entries(calls.textsOffered))("is offered what an option can be: %s", SLOW, async (place, texts) => {
    assert.deepStrictEqual((await offers(place)).toSorted(), texts)
  })

  it("is offered all settings", SLOW, async () => {
    assert.includeMembers([...(await offers(calls.settings))], [...optionNames])
  })

  it.each(Object.entries(calls.formsShown))("shows its forms: %s", SLOW, async (place, words) => {
    const forms = await editor().forms("calls.ts", calls.positionOf(place))
    assert.isNotEmpty(forms)
    const all = forms.join("\n")
    for (const word of words) assert.include(all, word)
  })
})

describe("the declaration file of a program that handles errors", () => {
  it("says what a hover says, with TypeScript 5.9 and 7", SLOW, async () => {
    assert.deepStrictEqual(declaredErrors(editor59.declarations("handled.ts")), expected)
    assert.deepStrictEqual(declaredErrors((await compile(consumer, "handled.ts")).declarations), expected)
  })
})

describe("a repository of 50 queries that catch two tags each", () => {
  it.each([
    ["one by one", "oneByOne.ts", "oneByOneOfSqlPg.ts"],
    ["at once", "atOnce.ts", "atOnceOfSqlPg.ts"]
  ])("%s costs the compiler about what it costs with @effect/sql-pg", SLOW, async (_, ours, theirs) => {
    const [our, their] = [await compile(consumer, ours), await compile(consumer, theirs)]
    assert.isAbove(their.declarations.length, 5_000)
    assert.isAbove(their.instantiations, 5_000)
    assert.isAtMost(our.declarations.length / their.declarations.length, 2, "characters of declarations")
    assert.isAtMost(our.instantiations / their.instantiations, 1.1, "instantiations of types")
  })
})

describe("a program of 50 queries with templates, schemas and reasons that it catches", () => {
  it.each([
    ["the SqlClient of effect/sql", "sqlClient.ts", "sqlClientOfSqlPg.ts"],
    ["the client of the package", "own.ts", "ownOfSqlPg.ts"]
  ])("costs the compiler no more than with @effect/sql-pg, if it asks for %s", SLOW, async (_, ours, theirs) => {
    const [our, their] = [await compile(consumer, ours), await compile(consumer, theirs)]
    assert.isAbove(their.instantiations, 5_000)
    assert.isAtMost(our.instantiations / their.instantiations, 1.02, "instantiations of types")
  })
})
