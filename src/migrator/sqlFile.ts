/** Reads a migration that is written in SQL: its statements, its checksum, and whether it runs in a transaction. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ResolvedMigration } from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { createHash } from "node:crypto"
import { InvalidFileError } from "./migrationError.ts"
import { type SqlStatement, splitStatements, tokensOf } from "./splitStatements.ts"

/**
 * What a migration that is written in SQL consists of.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlFile {
  /** The name of the file, such as `0001_users.sql`. */
  readonly file: string
  /** The text, with every line break as `\n`. */
  readonly text: string
  /** SHA-256 of the text in hexadecimal digits. */
  readonly checksum: string
  /** False if the first line is `-- no transaction`. */
  readonly isTransactional: boolean
  readonly statements: ReadonlyArray<SqlStatement>
}

/**
 * A migration that is written in SQL. It is also one of Effect's: its third element runs the statements of the file.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlMigration extends ResolvedMigration {
  readonly sqlFile: SqlFile
}

export const isSqlMigration = (migration: ResolvedMigration): migration is SqlMigration => "sqlFile" in migration

const FILE_NAME = /^(?:.*[/\\])?(\d+)_(.+)\.sql$/

/** Whether a file has the name of a migration in SQL. */
export const isSqlFileName = (file: string): boolean => FILE_NAME.test(file)

/** Makes a migration of a file whose name is one of a migration. */
export const sqlMigration = (path: string, text: string): Result.Result<SqlMigration, InvalidFileError> => {
  const [, id = "", name = ""] = FILE_NAME.exec(path) ?? []
  return Result.map(sqlFileOf(`${id}_${name}.sql`, text), (sqlFile) => {
    const runAll = Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.forEach(sqlFile.statements, (statement) => sql.unsafe(statement.sql).unprepared, { discard: true })
    )
    const migration: ResolvedMigration = [Number(id), name, Effect.succeed(runAll)]
    return Object.assign(migration, { sqlFile })
  })
}

const BYTE_ORDER_MARK = /^\uFEFF/
const NO_TRANSACTION = /^--[ \t]*no[ \t-]+transaction[ \t]*(?:\n|$)/i

/** Line breaks are made equal before anything else, because version control may write others on another machine. */
const sqlFileOf = (file: string, given: string): Result.Result<SqlFile, InvalidFileError> => {
  const text = given.replace(BYTE_ORDER_MARK, "").replaceAll("\r\n", "\n")
  const statements = splitStatements(text)
  for (const statement of statements) {
    const fault = faultOf(statement)
    if (fault !== undefined) return Result.fail(new InvalidFileError({ file, line: statement.line, ...fault }))
  }
  return Result.succeed({
    file,
    text,
    checksum: createHash("sha256").update(text).digest("hex"),
    isTransactional: !NO_TRANSACTION.test(text),
    statements
  })
}

interface Fault {
  readonly problem: string
  readonly hint: string
}

const TRANSACTION_COMMANDS: ReadonlySet<string> = new Set(["ABORT", "BEGIN", "COMMIT", "END", "ROLLBACK", "START"])

/** Finds what cannot run in a migration, whatever the database looks like. */
const faultOf = (statement: SqlStatement): Fault | undefined => {
  const words = Array.from(tokensOf(statement.sql), ({ text }) => text.toUpperCase())
  const [first = "", second = ""] = words
  if (words.includes("\\")) {
    return {
      problem: "it has a command of psql, which begins with a backslash and is no SQL",
      hint: "Remove the line. Only psql could read it."
    }
  }
  if (first === "COPY" && words.some((word, at) => word === "STDIN" && words[at - 1] === "FROM")) {
    return {
      problem: "COPY ... FROM STDIN reads data that is no SQL",
      hint: "Write the rows as INSERT, which pg_dump does with --inserts."
    }
  }
  const endsTransaction = TRANSACTION_COMMANDS.has(first) && !(first === "ROLLBACK" && words.includes("TO"))
  if (endsTransaction || (first === "PREPARE" && second === "TRANSACTION")) {
    return {
      problem: `${first} is not allowed, because the migrator itself begins and ends transactions`,
      hint:
        "Remove it: each file runs in one transaction. If it must not, make `-- no transaction` the first line, and " +
        "each statement is committed by itself."
    }
  }
  return undefined
}
