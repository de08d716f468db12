/** One question about a configuration, put to the real libpq and to this client, each with servers of its own. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as PgConfig from "../../../src/PgConfig.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import type { Libpq } from "../../support/libpq/library.ts"
import type { Attempt, Recorder, Script, ServerName } from "./recorder.ts"

/**
 * In all texts, `{a}`, `{b}`, `{c}` and `{closed}` stand for ports of 127.0.0.1, `{dir}` for the directory of the
 * servers' sockets, `{home}` for the home, and `{tls}` for the directory of the test's certificates.
 */
export interface Question {
  /** A URL or a string of pairs; without it there is none. */
  readonly text?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Files in the home, with a mode of 0600, or another that stands after the name: `.pgpass 640`. */
  readonly files?: Readonly<Record<string, string>>
  readonly servers?: Partial<Readonly<Record<ServerName, Script>>>
}

export interface Answer {
  /** `refused`: because of the configuration, before anything was connected to. */
  readonly outcome: "connected" | "refused" | "failed"
  readonly attempts: ReadonlyArray<Attempt>
}

/** Both answers, and what each says in words about a failure. */
export interface Answers {
  readonly libpq: Answer
  readonly ours: Answer
  readonly said: { readonly libpq: string; readonly ours: string }
}

/** A side of the comparison: its servers and its home. */
export interface Side {
  readonly recorder: Recorder
  readonly home: string
}

export const askBoth = async (
  question: Question,
  libpq: Libpq,
  sides: { readonly libpq: Side; readonly ours: Side }
): Promise<Answers> => {
  const [theirs, ours] = await Promise.all([
    askLibpq(prepared(question, sides.libpq), libpq, sides.libpq),
    askOurs(prepared(question, sides.ours), sides.ours)
  ])
  return { libpq: theirs.answer, ours: ours.answer, said: { libpq: theirs.said, ours: ours.said } }
}

interface Prepared {
  readonly text: string | undefined
  readonly environment: Readonly<Record<string, string>>
}

/** Writes the files, starts the scripts and fills in the places. */
const prepared = (question: Question, { home, recorder }: Side): Prepared => {
  const places: Readonly<Record<string, string>> = {
    ...Object.fromEntries(Object.entries(recorder.ports).map(([name, port]) => [name, String(port)])),
    dir: recorder.directory,
    home,
    tls: fileURLToPath(new URL("../../support/tls", import.meta.url))
  }
  const filled = (text: string): string => text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => places[name] ?? whole)
  fs.rmSync(home, { recursive: true, force: true })
  fs.mkdirSync(home, { recursive: true })
  for (const [named, content] of Object.entries(question.files ?? {})) {
    const [name = "", mode = "600"] = named.split(" ")
    const file = path.join(home, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, filled(content))
    fs.chmodSync(file, Number.parseInt(mode, 8))
  }
  recorder.play(question.servers ?? {})
  return {
    text: question.text === undefined ? undefined : filled(question.text),
    environment: {
      ...Object.fromEntries(Object.entries(question.environment ?? {}).map(([name, value]) => [name, filled(value)])),
      HOME: home
    }
  }
}

const askLibpq = async (
  { environment, text = "" }: Prepared,
  libpq: Libpq,
  side: Side
): Promise<{ readonly answer: Answer; readonly said: string }> => {
  const { isConnected, message } = await libpq.ask({ text, environment })
  await everythingArrived()
  const attempts = attemptsOf(side)
  const hasTried = attempts.length > 0 || /^(connection to server|could not translate host name)/.test(message)
  return { answer: { outcome: isConnected ? "connected" : hasTried ? "failed" : "refused", attempts }, said: message }
}

const askOurs = async (
  { environment, text }: Prepared,
  side: Side
): Promise<{ readonly answer: Answer; readonly said: string }> => {
  const settings: PgConfig.Settings = text === undefined ? {} : { url: text }
  const result = await Effect.runPromise(
    PgConfig.resolve(settings, environment).pipe(Effect.flatMap(connect), Effect.scoped, Effect.result)
  )
  await everythingArrived()
  const attempts = attemptsOf(side)
  if (Result.isSuccess(result)) return { answer: { outcome: "connected", attempts }, said: "" }
  const { failure } = result
  const outcome = failure._tag === "InvalidConfigError" ? "refused" : "failed"
  return { answer: { outcome, attempts }, said: failure.message }
}

/**
 * A client may give up a connection before its server has noticed it. Each turn of the event loop takes what has arrived:
 * in the first a connection, in the next its bytes.
 */
const everythingArrived = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** The order of the startup parameters means nothing. */
const attemptsOf = ({ recorder }: Side): ReadonlyArray<Attempt> =>
  recorder.attempts().map((attempt) => ({
    ...attempt,
    ...(attempt.startup === undefined
      ? {}
      : { startup: Object.fromEntries(Object.entries(attempt.startup).toSorted(([a], [b]) => (a < b ? -1 : 1))) })
  }))
