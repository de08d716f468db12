/**
 * Runs some 60 kinds of use through real poolers and proxies, and writes the table of docs/guide/deployment.md.
 *
 *   npm run poolers                     all endpoints; the table is written
 *   npm run poolers -- transaction      only endpoints whose name contains the text; the table is printed
 *   npm run poolers -- transaction copy only uses whose name contains the second text
 *
 * Each use has a new pool of five, while other clients are busy on the same endpoint, so that a pooler has reason to move
 * sessions. After each use its pool has to answer.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as PgConfig from "../../src/PgConfig.ts"
import * as PgPool from "../../src/PgPool.ts"
import { startEmbedded } from "../support/server/embedded.ts"
import type { PgServer } from "../support/server/server.ts"
import { accepts } from "./endpoints/daemon.ts"
import { type Endpoint, endpoints, missing } from "./endpoints/endpoints.ts"
import { type Outcome, type Row, tableOf, writeTable } from "./table.ts"
import { many } from "./uses/many.ts"
import { sessions } from "./uses/sessions.ts"
import { statements } from "./uses/statements.ts"
import { transactions } from "./uses/transactions.ts"
import { Unexpected, type Use } from "./uses/use.ts"

const PAGE = new URL("../../docs/guide/deployment.md", import.meta.url)
const MAX_CONNECTIONS = 5
const BUSY_CLIENTS = 3
const PATIENCE = "25 seconds"
const DETAIL_LENGTH = 60

const all: ReadonlyArray<Use> = [...statements, ...many, ...transactions, ...sessions]

const settingsFor = (
  { database, password, user }: PgServer,
  port: number,
  endpoint: Endpoint
): PgConfig.PoolSettings => ({
  host: "127.0.0.1",
  port,
  user,
  password: Redacted.make(password),
  database,
  sslMode: "disable",
  maxConnections: MAX_CONNECTIONS,
  ...endpoint.settings
})

let count = 0

/** Runs one use, and then asks its pool for a sign of health. `lines` is what has been logged of poolers meanwhile. */
const outcomeOf = (use: Use, settings: PgConfig.PoolSettings, lines: Array<string>): Effect.Effect<Outcome> => {
  lines.length = 0
  const ran = Effect.gen(function* () {
    const pool = yield* PgPool.make({ ...settings, ...use.settings })
    const exit = yield* Effect.exit(use.run({ pool, name: `use_${count++}` }))
    for (let call = 0; call < MAX_CONNECTIONS; call++) yield* pool.fetchValue("SELECT $1::int4", [call])
    return yield* exit
  })
  return Effect.scoped(ran).pipe(
    Effect.timeoutOption(PATIENCE),
    Effect.exit,
    Effect.map((exit): Outcome => {
      if (Exit.isSuccess(exit)) {
        return Option.isSome(exit.value)
          ? { use: use.name, verdict: "works", detail: "" }
          : { use: use.name, verdict: "hangs", detail: PATIENCE }
      }
      const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      const verdict = lines.some((line) => SAID.test(line)) ? "said in the log" : "wrong"
      if (error === undefined)
        return { use: use.name, verdict, detail: Cause.pretty(exit.cause).slice(0, DETAIL_LENGTH) }
      if (error instanceof Unexpected) return { use: use.name, verdict, detail: shortened(error.message) }
      const code = "code" in error ? `${error.code} ` : ""
      return { use: use.name, verdict: "fails", detail: shortened(code + error.message) }
    })
  )
}

const shortened = (text: string): string => {
  const line = text
    .replaceAll(/"?effectpg_\w*"?/g, "")
    .split(/\s+/)
    .join(" ")
    .replaceAll("|", "/")
  return line.length > DETAIL_LENGTH ? `${line.slice(0, DETAIL_LENGTH)}...` : line
}

/** Other clients that keep the endpoint busy, for as long as the effect runs. */
const whileBusy = <A>(settings: PgConfig.PoolSettings, effect: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.scoped(
    Effect.gen(function* () {
      const pool = yield* PgPool.make({ ...settings, statementMode: "unnamed", maxConnections: BUSY_CLIENTS })
      const busy = Effect.forever(Effect.ignore(pool.fetch("SELECT pg_sleep(0.001)")))
      for (let client = 0; client < BUSY_CLIENTS; client++) yield* Effect.forkScoped(busy)
      return yield* effect
    })
  ).pipe(Effect.orDie)

const report = ({ detail, use, verdict }: Outcome) =>
  Effect.sync(() => {
    if (verdict !== "works") console.log(`  ${verdict}: ${use}: ${detail}`)
  })

/** What the log says of a use that cannot give the right answer. */
const SAID = /^a pooler .* (listen may hear|ignores these settings)/

/** Runs the uses through an endpoint. It is started anew for a use that needs COPY and may end it. */
const rowOf = async (endpoint: Endpoint, server: PgServer, uses: ReadonlyArray<Use>): Promise<Row> => {
  const lines: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
  const through = async (some: ReadonlyArray<Use>): Promise<ReadonlyArray<Outcome>> => {
    const { port, stop } = await endpoint.start(server)
    const settings = settingsFor(server, port, endpoint)
    const outcomes: Array<Outcome> = []
    let isDown = false
    const each = (use: Use) =>
      Effect.gen(function* () {
        if (isDown) return
        const outcome = yield* outcomeOf(use, settings, lines)
        isDown = !(yield* Effect.promise(() => accepts(port)))
        outcomes.push(isDown ? ended(use) : outcome)
        yield* report(outcomes.at(-1) ?? outcome)
      })
    try {
      await Effect.runPromise(Effect.provide(whileBusy(settings, Effect.forEach(some, each)), logger))
    } finally {
      await stop()
    }
    return isDown ? [...outcomes, ...(await through(some.slice(outcomes.length)))] : outcomes
  }
  console.log(endpoint.name)
  const dangerous = uses.filter(({ copiesIn }) => endpoint.diesOfCopyIn === true && copiesIn === true)
  const outcomes = [...(await through(uses.filter((use) => !dangerous.includes(use))))]
  for (const use of dangerous)
    outcomes.push(...(await through([use]).catch((): ReadonlyArray<Outcome> => [ended(use)])))
  console.log(`  ${outcomes.filter(({ verdict }) => verdict === "works").length} of ${outcomes.length} work`)
  return { endpoint: endpoint.name, outcomes }
}

const ended = ({ name }: Use): Outcome => ({ use: name, verdict: "fails", detail: "the endpoint ended" })

const [only = "", onlyUse = ""] = process.argv.slice(2)
process.env["PATH"] += ":/usr/sbin:/sbin"
// So that the programs end too.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1))
const absent = missing()
if (absent !== undefined) console.log(absent)
const server = await startEmbedded({})
try {
  const version = await serverVersion()
  const rows: Array<Row> = []
  for (const endpoint of endpoints(version).filter(({ name }) => name.includes(only))) {
    rows.push(
      await rowOf(
        endpoint,
        server,
        all.filter(({ name }) => name.includes(onlyUse))
      )
    )
  }
  const table = tableOf(rows, new Date().toISOString().slice(0, "2000-01-01".length))
  if (only === "" && onlyUse === "" && absent === undefined) writeTable(PAGE, table)
  else console.log(table)
} finally {
  await server.stop()
}

function serverVersion(): Promise<string> {
  const { database, host, password, port, user } = server
  const asked = Effect.flatMap(
    PgPool.make({ host, port, user, password: Redacted.make(password), database, sslMode: "disable" }),
    (pool) => pool.fetchOne("SELECT current_setting('server_version') AS version")
  )
  return Effect.runPromise(Effect.map(Effect.scoped(asked), ({ version }) => String(version)))
}
