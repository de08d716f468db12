/**
 * Asks the real libpq and this client the same questions about their configuration, and compares what their servers see
 * of them: which hosts are tried, what is asked for, the startup message, the password.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { settingVariables, keys } from "../../../src/config/source/names.ts"
import { harmlessVariables, unsupportedKeys, unsupportedVariables } from "../../../src/config/source/unsupportedKeys.ts"
import { comparable, differences, isToldSooner } from "./differences.ts"
import { generated } from "./generated.ts"
import { type Libpq, startLibpq } from "../../support/libpq/library.ts"
import { type Answers, askBoth, type Question, type Side } from "./question.ts"
import { startRecorder } from "./recorder.ts"
import { certificates, table } from "./table.ts"

const SEED = 16
const GENERATED = 400

let directory = ""
let libpq: Libpq | string = ""
let sides: { readonly libpq: Side; readonly ours: Side } | undefined

const sideIn = async (name: string): Promise<Side> => {
  const own = path.join(directory, name)
  fs.mkdirSync(own)
  return { recorder: await startRecorder(own), home: path.join(own, "home") }
}

beforeAll(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "effectpg-libpq-"))
  libpq = await startLibpq()
  if (typeof libpq === "string") console.log(`libpq cannot be asked on this machine, so nothing is compared: ${libpq}`)
  sides = { libpq: await sideIn("theirs"), ours: await sideIn("ours") }
})

afterAll(async () => {
  if (typeof libpq !== "string") libpq.end()
  await sides?.libpq.recorder.close()
  await sides?.ours.recorder.close()
  fs.rmSync(directory, { recursive: true, force: true })
})

const PATIENCE_MILLIS = 10_000

const ask = async (question: Question, theirs: Libpq): Promise<Answers> => {
  if (sides === undefined) return assert.fail("the servers have not started")
  let timer: NodeJS.Timeout | undefined
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer to ${shown(question)}`)), PATIENCE_MILLIS)
  })
  return Promise.race([askBoth(question, theirs, sides), hang]).finally(() => clearTimeout(timer))
}

const isSame = ({ libpq, ours }: Answers): boolean =>
  JSON.stringify(comparable(libpq)) === JSON.stringify(comparable(ours))

const isListed = (question: Question, answers: Answers): boolean =>
  differences.some(({ looksLike, shownBy }) => shownBy(question) && (looksLike?.(answers) ?? true))

const shown = (question: Question): string => JSON.stringify(question).slice(0, 1500)

const told = (question: Question, { libpq, ours, said }: Answers): string =>
  [
    shown(question),
    `libpq: ${JSON.stringify(comparable(libpq))} ${said.libpq.trim()}`,
    `ours:  ${JSON.stringify(comparable(ours))} ${said.ours}`
  ].join("\n  ")

const pem = (name: string): string => fs.readFileSync(new URL(`../../support/tls/${name}`, import.meta.url), "utf8")

const questions: ReadonlyArray<Question> = [...table, ...certificates(pem)]

/** The test's own time limit is far above the ten seconds that it takes. */
const TIMEOUT_MILLIS = 60_000

describe("libpq and this client", () => {
  it(
    "answer the questions of the table alike, but for the differences that are listed, which all exist",
    async () => {
      if (typeof libpq === "string") return
      const faults: Array<string> = []
      const exists = new Set<string>()
      let same = 0
      let sooner = 0
      for (const question of questions) {
        const answers = await ask(question, libpq)
        const listed = differences.filter(({ shownBy }) => shownBy(question))
        if (isSame(answers)) {
          same++
          for (const { reason } of listed) faults.push(`is the same now, but listed (${reason}): ${shown(question)}`)
          continue
        }
        if (isListed(question, answers)) for (const { reason } of listed) exists.add(reason)
        else if (isToldSooner(answers)) sooner++
        else faults.push(`differs: ${told(question, answers)}`)
      }
      for (const { reason } of differences) if (!exists.has(reason)) faults.push(`is shown by no question: ${reason}`)
      console.log(
        `libpq ${libpq.version}: ${questions.length} questions, ${same} the same, ${sooner} told sooner, ` +
          `${questions.length - same - sooner} different by ${differences.length} decisions`
      )
      assert.deepStrictEqual(faults, [])
      assert.isAbove(sooner, 0)
      assert.isAbove(questions.length, 500)
    },
    TIMEOUT_MILLIS
  )

  it(
    `answer ${GENERATED} random questions alike`,
    async () => {
      if (typeof libpq === "string") return
      const faults: Array<string> = []
      const outcomes = { connected: 0, refused: 0, failed: 0 }
      let same = 0
      let sooner = 0
      for (const question of generated(SEED, GENERATED)) {
        const answers = await ask(question, libpq)
        outcomes[answers.libpq.outcome]++
        if (isSame(answers)) same++
        else if (isToldSooner(answers)) sooner++
        else if (!isListed(question, answers)) faults.push(told(question, answers))
      }
      console.log(
        `libpq: of ${GENERATED} random questions ${JSON.stringify(outcomes)}; ${same} the same, ${sooner} told sooner, ` +
          `${GENERATED - same - sooner} different by these decisions`
      )
      assert.deepStrictEqual(faults, [])
      // Questions that are all refused would compare nothing.
      for (const outcome of Object.values(outcomes)) assert.isAbove(outcome, GENERATED / 20)
    },
    TIMEOUT_MILLIS
  )

  it("know the same keys and variables: each is read, refused, or without effect", () => {
    if (typeof libpq === "string") return
    const unknown = libpq.keywords.filter(
      ([keyword, variable]) =>
        !(keys.includes(keyword) || unsupportedKeys.has(keyword)) ||
        !(
          variable === null ||
          settingVariables.includes(variable) ||
          unsupportedVariables.includes(variable) ||
          harmlessVariables.includes(variable)
        )
    )
    assert.deepStrictEqual(unknown, [])
    assert.isAbove(libpq.keywords.length, 40)
  })
})
