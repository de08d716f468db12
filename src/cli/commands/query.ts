/** `effectpg query`: runs SQL, and prints what it returns. */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { splitStatements, type SqlStatement } from "../../migrator/splitStatements.ts"
import * as PgConfig from "../../PgConfig.ts"
import type { Session } from "../../session/engine/session.ts"
import { connect } from "../../session/opening/connect.ts"
import { csv } from "../query/csv.ts"
import { json } from "../query/json.ts"
import { JSON_TYPES } from "../query/jsonTypes.ts"
import { type Result, runStatement } from "../query/runStatement.ts"
import { describeFailure, describeNotice, type Script } from "../query/serverMessage.ts"
import { table } from "../query/table.ts"
import { settingsOf, urlFlag } from "../terminal/database.ts"
import { type CliFailure, type ExitWith, failure, misuse } from "../terminal/failure.ts"
import { print, tell } from "../terminal/write.ts"

const flags = {
  sql: Argument.String("sql").pipe(Argument.withDescription("The SQL to run"), Argument.optional),
  file: Flag.String("file").pipe(
    Flag.withAlias("f"),
    Flag.withDescription("Read the SQL from a file; - is the standard input"),
    Flag.optional
  ),
  params: Flag.String("param").pipe(
    Flag.withAlias("p"),
    Flag.withDescription("The value of $1, and with a second --param of $2, and so on"),
    Flag.atLeast(0)
  ),
  csv: Flag.Boolean("csv").pipe(Flag.withDescription("Print rows as CSV"), Flag.withDefault(false)),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print rows as JSON; int8, numeric and all that JSON has no form for are strings"),
    Flag.withDefault(false)
  ),
  singleTransaction: Flag.Boolean("single-transaction").pipe(
    Flag.withAlias("1"),
    Flag.withDescription("Run everything in one transaction: all or nothing"),
    Flag.withDefault(false)
  ),
  url: urlFlag
}

type Format = "table" | "csv" | "json"

export const query = Command.make("query", flags, (given) =>
  Effect.gen(function* () {
    if (given.csv && given.json) return yield* misuse("--csv and --json exclude each other.")
    const script = yield* scriptOf(given.sql, given.file)
    const statements = splitStatements(script.text)
    if (statements.length === 0) return yield* misuse("There is no SQL to run.")
    if (given.params.length > 0 && statements.length > 1) {
      return yield* misuse("--param is for one statement, and there are several.")
    }
    const format = given.csv ? "csv" : given.json ? "json" : "table"
    const settings = settingsOf(given.url)
    const config = yield* PgConfig.resolve(format === "json" ? { ...settings, types: JSON_TYPES } : settings)
    const session = yield* connect(config)
    session.noticeListeners.add((notice) => process.stderr.write(`${describeNotice(notice)}\n`))
    const run = runAll(session, { script, statements, params: given.params, format })
    yield* given.singleTransaction ? inTransaction(session, run) : run
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "Runs SQL from an argument, a file or the standard input, one statement after the other, and prints what each " +
      "returns. It stops at the first error."
  ),
  Command.withShortDescription("Run SQL, and print a table, CSV or JSON"),
  Command.withExamples([
    { command: 'effectpg query "SELECT now()"', description: "Print a table" },
    { command: 'effectpg query "SELECT * FROM users WHERE id = $1" --param 7 --json', description: "Print JSON" },
    { command: "effectpg query --csv --file report.sql > report.csv", description: "Write a file for a spreadsheet" }
  ])
)

const scriptOf = (sql: Option.Option<string>, file: Option.Option<string>) =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const name = Option.getOrUndefined(file)
    const text = Option.getOrUndefined(sql)
    if (text !== undefined) {
      return name === undefined
        ? ({ text, file: undefined } satisfies Script)
        : yield* misuse("Give the SQL either as an argument or with --file.")
    }
    if (name === undefined && (yield* stdio.stdinIsTerminal)) {
      return yield* misuse(
        'Give SQL as an argument, such as effectpg query "SELECT 1", with --file, or on the standard input.'
      )
    }
    if (name === undefined || name === "-") {
      const text = yield* Stream.mkString(Stream.decodeText(stdio.stdin))
      return { text, file: undefined } satisfies Script
    }
    const files = yield* FileSystem.FileSystem
    const read = yield* Effect.mapError(files.readFileString(name), ({ message }) => misuse(`${name}: ${message}`))
    return { text: read.replace(/^\uFEFF/, ""), file: name } satisfies Script
  })

interface Work {
  readonly script: Script
  readonly statements: ReadonlyArray<SqlStatement>
  readonly params: ReadonlyArray<string>
  readonly format: Format
}

const runAll = (
  session: Session,
  { format, params, script, statements }: Work
): Effect.Effect<void, CliFailure | ExitWith> =>
  Effect.forEach(
    statements,
    (statement) =>
      runStatement(session, statement.sql, params, format === "json" ? "decoded" : "text").pipe(
        Effect.mapError((error) => failure(describeFailure(error, script, statement))),
        Effect.flatMap((result) => printed(result, format))
      ),
    { discard: true }
  )

const printed = (result: Result, format: Format): Effect.Effect<void, CliFailure | ExitWith> => {
  const { command, rowCount } = result.tag
  if (!result.returnsRows) {
    const count = COUNTING.has(command) ? ` ${rowCount}` : ""
    // What another program reads has nothing but rows.
    return (format === "table" ? print : tell)(`${command}${count}\n`)
  }
  switch (format) {
    case "csv":
      return print(csv(result))
    case "json":
      return Effect.flatMap(json(result), print)
    case "table":
      return print(table(result))
  }
}

const COUNTING: ReadonlySet<string> = new Set([
  "INSERT",
  "UPDATE",
  "DELETE",
  "MERGE",
  "SELECT",
  "MOVE",
  "FETCH",
  "COPY"
])

const inTransaction = <E>(session: Session, body: Effect.Effect<void, E>) =>
  Effect.gen(function* () {
    yield* runStatement(session, "BEGIN", [], "text")
    yield* body
    const { tag } = yield* runStatement(session, "COMMIT", [], "text")
    if (tag.command === "ROLLBACK") return yield* failure("The server has rolled everything back.")
  })
