/** How a migration fails: Effect's `MigrationError`, with a tagged reason. */
import * as Data from "effect/Data"
import { MigrationError } from "effect/sql/Migrator"
import type { SqlError } from "effect/sql/SqlError"
import { withHint } from "./withHint.ts"

type Kind = MigrationError["kind"]

/**
 * A statement of an SQL file that has run before another one of the same file failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface RanStatement {
  /** Its number in the file, from 1. */
  readonly statement: number
  /** The line where it begins, from 1. */
  readonly line: number
  readonly sql: string
}

/**
 * The server refused a statement of an SQL file. The message shows the file's lines with a caret where the error is.
 * What the file did is rolled back. If its first line is `-- no transaction`, the statements before stay done (`ran`),
 * and the next run begins with the first statement of the file again.
 *
 * @category errors
 * @since 0.1.0
 */
export class StatementFailedError extends Data.TaggedError("StatementFailedError")<{
  readonly file: string
  /** The line of the error, or of the beginning of the statement if the server names no position. */
  readonly line: number
  /** The number of the failed statement in the file, from 1. */
  readonly statement: number
  readonly sql: string
  /** The statements that have run and stay done: none if the file ran in a transaction. */
  readonly ran: ReadonlyArray<RanStatement>
  readonly isTransactional: boolean
  readonly cause: SqlError
  readonly message: string
}> {}

/**
 * A migration that is an Effect failed. What it did in its transaction is rolled back.
 *
 * @category errors
 * @since 0.1.0
 */
export class EffectFailedError extends Data.TaggedError("EffectFailedError")<{
  /** `<id>_<name>`. */
  readonly migration: string
  /** What the migration failed with. */
  readonly cause: unknown
  readonly message: string
}> {}

/**
 * An SQL file is no longer the one that was applied: its checksum differs. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class FileChangedError extends Data.TaggedError("FileChangedError")<{
  readonly file: string
  readonly message: string
}> {}

/**
 * An SQL file that was applied is not there any more. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class FileMissingError extends Data.TaggedError("FileMissingError")<{
  /** `<id>_<name>.sql`, without the zeros that the id had in front. */
  readonly file: string
  readonly message: string
}> {}

/**
 * An SQL file that was not applied has a lower number than one that was. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutOfOrderError extends Data.TaggedError("OutOfOrderError")<{
  readonly file: string
  /** The highest number that was applied. */
  readonly latest: number
  readonly message: string
}> {}

/**
 * A migration cannot be read: an SQL file has a command that is no SQL or ends the transaction, a module exports no
 * Effect, or a number is too high. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidFileError extends Data.TaggedError("InvalidFileError")<{
  readonly file: string
  /** From 1; undefined if it is about the file as a whole. */
  readonly line: number | undefined
  readonly problem: string
  /** What the import of a module failed with. */
  readonly cause: unknown
  readonly message: string
}> {
  constructor(fields: {
    readonly file: string
    readonly line?: number
    readonly problem: string
    readonly hint?: string
    readonly cause?: unknown
  }) {
    const { cause, file, hint, line, problem } = fields
    const place = line === undefined ? file : `${file}, line ${line}`
    super({ file, line, problem, cause, message: withHint(`${place}: ${problem}`, hint) })
  }
}

/**
 * Two migrations have the same number. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class DuplicateError extends Data.TaggedError("DuplicateError")<{
  readonly migrations: readonly [string, string]
  readonly message: string
}> {}

/**
 * The loader failed. Nothing was run.
 *
 * @category errors
 * @since 0.1.0
 */
export class LoaderFailedError extends Data.TaggedError("LoaderFailedError")<{
  readonly cause: MigrationError
  readonly message: string
}> {}

/**
 * Another migrator, which does not take the lock of this one, has recorded the same migration meanwhile. What this one
 * did for it is rolled back, unless the file runs without a transaction.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConflictError extends Data.TaggedError("ConflictError")<{
  /** `<id>_<name>`. */
  readonly migration: string
  readonly cause: SqlError
  readonly message: string
}> {}

/**
 * `run` was called inside of a transaction, and a file is pending that cannot run there.
 *
 * @category errors
 * @since 0.1.0
 */
export class InsideTransactionError extends Data.TaggedError("InsideTransactionError")<{
  readonly file: string
  readonly message: string
}> {}

/**
 * `pg_dump` could not write the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export class SchemaDumpError extends Data.TaggedError("SchemaDumpError")<{
  readonly problem: "not found" | "older than the server" | "failed" | "cannot write"
  readonly cause: unknown
  readonly message: string
}> {}

/**
 * Why a migration failed: what `Effect.catchReason("MigrationError", ...)` distinguishes.
 *
 * @category errors
 * @since 0.1.0
 */
export type MigrationReason =
  | StatementFailedError
  | EffectFailedError
  | FileChangedError
  | FileMissingError
  | OutOfOrderError
  | InvalidFileError
  | DuplicateError
  | LoaderFailedError
  | ConflictError
  | InsideTransactionError
  | SchemaDumpError

/**
 * How the functions of this module fail. It is a `MigrationError` of Effect, with its tag and its `kind`, and has a
 * `reason`, whose tag and fields say more.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import type { SqlError } from "effect/sql"
 * import { PgMigrator } from "effectpg"
 *
 * declare const migrate: Effect.Effect<void, PgMigrator.PgMigrationError | SqlError.SqlError>
 *
 * export const program = migrate.pipe(
 *   Effect.catchReason("MigrationError", "FileChangedError", ({ file }) => Effect.logError(`${file} was changed`)),
 *   Effect.catchTag("MigrationError", (error) => Effect.logError(error.message))
 * )
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export class PgMigrationError extends MigrationError {
  readonly reason: MigrationReason

  constructor(fields: { readonly reason: MigrationReason }) {
    const { reason } = fields
    super({ kind: kindOf(reason), message: reason.message, cause: reason.cause })
    this.reason = reason
  }
}

const kindOf = (reason: MigrationReason): Kind => {
  switch (reason._tag) {
    case "StatementFailedError":
    case "EffectFailedError":
    case "SchemaDumpError":
      return "Failed"
    case "InvalidFileError":
      return "ImportError"
    case "DuplicateError":
      return "Duplicates"
    case "ConflictError":
      return "Locked"
    case "LoaderFailedError":
      return reason.cause.kind
    default:
      return "BadState"
  }
}
