/**
 * Tests what an editor shows of the public API. The test asks TypeScript's language service as an editor does: it
 * points at the name (hover), and opens the parenthesis (signature help). It uses TypeScript 5, which is stricter: if a
 * call has overloads, it shows nothing of the documentation on the name.
 */
import { assert, describe, it } from "@effect/vitest"
import { ts } from "@ts-morph/common"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll } from "vitest"
import { isFunctionType, membersOf, type PublicName, publicNames } from "./support/publicListing.ts"

const repository = fileURLToPath(new URL("../", import.meta.url))
/** This file exists only in the memory of the language service. */
const file = path.join(repository, "test", "whatAUserWrites.ts")
/** The language service reads all of Effect's types before it answers. */
const READING_TIMEOUT_MILLIS = 300_000
const SLOW = { timeout: 120_000 }

// ------------------------------------------------------------------------------------------------------ questions

interface Asked {
  /** `PgPool.PgPool.fetch` */
  readonly name: string
  /** As a user would write it: `aPool.fetch`, and `undefined as PgPool.Stats` for a type. */
  readonly expression: string
  readonly isFunction: boolean
}

/** JavaScript calls these methods by itself, and every reader knows what they are for. */
const OF_JAVASCRIPT = /^(\[.*|toJSON|toString|toISOString)$/

/** Everything that a program runs: functions, effects and streams, also functions that have a named type. */
const isRun = (type: string): boolean => isFunctionType(type) || /^(Effect<|Stream<|Listen$)/.test(type)

const instanceOf = (name: string): string => `an${name.replace(".", "")}`

const members = ({ keyword, members, name }: PublicName): ReadonlyArray<Asked> =>
  members
    .filter((member) => isRun(member.type) && !OF_JAVASCRIPT.test(member.name))
    .map((member) => ({
      name: `${name}.${member.name}`,
      expression: `${keyword === "interface" ? instanceOf(name) : name}.${member.name}`,
      isFunction: !/^(Effect|Stream)</.test(member.type)
    }))

/** A class is listed as an interface and as a constant, and not every class can be named as a constant. */
const named = ({ keyword, name, type }: PublicName): ReadonlyArray<Asked> => {
  if (keyword !== "const") return [{ name, expression: `undefined as ${name}`, isFunction: false }]
  return type.startsWith("typeof ") ? [] : [{ name, expression: name, isFunction: isFunctionType(type) }]
}

const asked: ReadonlyArray<Asked> = publicNames.flatMap((name) => [...named(name), ...members(name)])

const modules = Array.from(new Set(publicNames.map(({ name }) => name.split(".")[0])))

const imports = [
  ...modules.map((module) => `import * as ${module} from "../src/${module}.ts"`),
  'import * as Schema from "effect/Schema"'
]

/** For the interfaces whose type parameters have no defaults. */
const typeArguments: Readonly<Record<string, string>> = { "PgClient.ServiceClass": '<unknown, "Reporting">' }

const instances = publicNames
  .filter(({ keyword }) => keyword === "interface")
  .map(({ name }) => `declare const ${instanceOf(name)}: ${name}${typeArguments[name] ?? ""}`)

/** Calls whose overload is chosen by their arguments. */
const chosen = {
  plain: 'anPgClientPgClient.fetch("SELECT 1")',
  decoded: 'anPgClientPgClient.fetch("SELECT 1", [], { row: Schema.Struct({}) })',
  withoutValues: 'anPgClientPgClient.fetch("SELECT 1", { row: Schema.Struct({}) })',
  timed: 'anPgClientPgClient.fetch("SELECT 1", { timeout: 5 })',
  template: "anPgClientPgClient.fetch(PgSql.sql`SELECT 1`, { row: Schema.Struct({}) })",
  alone: "anPgClientPgClient.batch([], { errorBarriers: true })",
  together: "anPgClientPgClient.batch([])",
  piped: 'PgError.catchClass("23", aFunction)',
  direct: 'PgError.catchClass(anPgClientPgClient.execute("SELECT 1"), "23", aFunction)'
} as const

const text = [
  ...imports,
  ...instances,
  "declare const aFunction: () => never",
  ...asked.flatMap(({ expression, isFunction }) => [`;${expression};`, ...(isFunction ? [`;${expression}();`] : [])]),
  ...Object.values(chosen).map((call) => `;${call};`)
].join("\n")

// -------------------------------------------------------------------------------------------------------- the editor

const compilerOptions = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(path.join(repository, "tsconfig.json"), ts.sys.readFile)
  // The standard library says nothing about our calls, and this TypeScript comes without one.
  return { ...ts.parseJsonConfigFileContent(config, ts.sys, repository).options, noLib: true, types: [] }
}

const read = (name: string): string | undefined => (name === file ? text : ts.sys.readFile(name))

const makeEditor = (): ts.LanguageService => {
  const options = compilerOptions()
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) => {
      const source = read(name)
      return source === undefined ? undefined : ts.ScriptSnapshot.fromString(source)
    },
    getCurrentDirectory: () => repository,
    getDefaultLibFileName: (options) => ts.getDefaultLibFileName(options),
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: read
  })
}

let editor: ts.LanguageService

beforeAll(() => {
  editor = makeEditor()
  editor.getProgram()
}, READING_TIMEOUT_MILLIS)

/** What an editor shows of a symbol. */
interface Shown {
  readonly words: string
  readonly tags: ReadonlyArray<string>
}

interface Documented {
  readonly documentation?: ReadonlyArray<ts.SymbolDisplayPart> | undefined
  readonly tags?: ReadonlyArray<ts.JSDocTagInfo> | undefined
}

const shown = ({ documentation = [], tags = [] }: Documented): Shown => ({
  words: documentation.map(({ text }) => text).join(""),
  tags: tags.map(({ name }) => name)
})

/** The position of the last name in the expression. */
const positionOf = (statement: string): number => {
  const at = text.indexOf(`\n;${statement};`)
  if (at === -1) throw new Error(`the text does not have ${statement}`)
  const called = /^(undefined as )?[\w.]+/.exec(statement)?.[0] ?? ""
  return at + "\n;".length + called.lastIndexOf(".") + 1
}

const hover = (statement: string): Shown => shown(editor.getQuickInfoAtPosition(file, positionOf(statement)) ?? {})

/** The forms of a call, as they are listed when its bracket is opened. */
const forms = (expression: string): ReadonlyArray<Shown> => {
  const statement = `${expression}()`
  const bracket = positionOf(statement) + expression.length - expression.lastIndexOf(".")
  return (editor.getSignatureHelpItems(file, bracket, undefined)?.items ?? []).map(shown)
}

/** Everything that an editor shows of a call, by the position where it shows it. */
const everywhere = ({ expression, isFunction }: Asked): ReadonlyArray<readonly [where: string, Shown]> => {
  const named: readonly [string, Shown] = ["the name", hover(expression)]
  if (!isFunction) return [named]
  const called = ["the call", hover(`${expression}()`)] as const
  const listed = forms(expression)
  // For a call with one signature, an editor shows the documentation of the name.
  if (new Set(listed.map(({ words }) => words)).size === 1 && listed[0]?.words === "" && called[1].words !== "") {
    return [named, called]
  }
  return [named, called, ...listed.map((form, at) => [`form ${at + 1} of ${listed.length}`, form] as const)]
}

const firstSentence = (words: string): string => /^[\s\S]*?[.](?=\s|$)/.exec(words)?.[0].replaceAll(/\s+/g, " ") ?? ""

const faultOf = (words: string): string | undefined => {
  const sentence = firstSentence(words)
  if (sentence === "") return words === "" ? "has no words" : "has no sentence"
  if (/^(The same|As |Also |It )/.test(sentence)) return `does not stand by itself: ${sentence}`
  return sentence.split(" ").length < 3 ? `says too little: ${sentence}` : undefined
}

// ------------------------------------------------------------------------------------------------------------- tests

describe("the documentation that an editor shows", () => {
  it("is checked for every public name, and for every call", () => {
    const names = asked.map(({ name }) => name)
    assert.isAbove(names.length, 400)
    assert.includeMembers(names, [
      "PgClient.PgClient.fetch",
      "PgClient.PgClient.listen",
      "PgConnection.PgConnection.reset",
      "PgError.catchClass",
      "PgPool.make",
      "PgSql.Sql.join",
      "PgStatement.PgStatement.fetchMany",
      "PgTypes.codec",
      "PgTypes.PgRange"
    ])
  })

  it("begins with a sentence that is understandable alone, on the name and on each overload", SLOW, () => {
    const faults = asked.flatMap((call) =>
      everywhere(call).flatMap(([where, { words }]) => {
        const fault = faultOf(words)
        return fault === undefined ? [] : [`${call.name}: ${where} ${fault}`]
      })
    )
    assert.deepStrictEqual(faults, [])
  })

  it("has an example and a version on each overload of every method that reaches a database", SLOW, () => {
    const shared = membersOf("PgConnection.Queryable").map(({ name }) => name)
    const reaching = publicNames.filter(({ members }) => shared.every((name) => members.some((m) => m.name === name)))
    assert.isAtLeast(reaching.length, 5)
    const calls = asked.filter(({ name }) =>
      reaching.some((reach) => shared.some((member) => name === `${reach.name}.${member}`))
    )
    assert.strictEqual(calls.length, reaching.length * shared.length)
    const faults = calls.flatMap((call) =>
      everywhere(call).flatMap(([where, { tags }]) => {
        // The hover on the name says what the call is for; the example belongs to an overload.
        const wanted = where === "the name" ? ["since"] : ["example", "since"]
        return wanted.filter((tag) => !tags.includes(tag)).map((tag) => `${call.name}: ${where} has no @${tag}`)
      })
    )
    assert.deepStrictEqual(faults, [])
  })

  it("is that of the overload that the arguments choose", SLOW, () => {
    const sentences = Object.fromEntries(
      Object.entries(chosen).map(([name, call]) => [name, firstSentence(hover(call).words)])
    )
    assert.deepStrictEqual(sentences, {
      plain: "Fetches all rows of a statement as objects by column name.",
      decoded: "Fetches all rows of a statement, each decoded by the schema in `row`.",
      withoutValues: "Fetches all rows of a statement, each decoded by the schema in `row`.",
      timed: "Fetches all rows of a statement as objects by column name.",
      template: "Fetches all rows of a statement, each decoded by the schema in `row`.",
      alone: "Runs different statements in one round trip, each of which succeeds or fails on its own.",
      together: "Runs different statements in one round trip, and returns what each did and its rows.",
      piped:
        "Handles the server's errors of one class of SQLSTATEs and lets all others pass; takes the effect by `pipe`.",
      direct: "Handles the server's errors of one class of SQLSTATEs in an effect and lets all others pass."
    })
  })
})
