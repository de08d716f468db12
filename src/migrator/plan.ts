/** Compares the migrations that there are with those that were applied. */
import * as Effect from "effect/Effect"
import type { ResolvedMigration } from "effect/sql/Migrator"
import type { Applied } from "./history.ts"
import {
  DuplicateError,
  FileChangedError,
  FileMissingError,
  InvalidFileError,
  type MigrationReason,
  OutOfOrderError,
  PgMigrationError
} from "./migrationError.ts"
import { isSqlMigration } from "./sqlFile.ts"
import { withHint } from "./withHint.ts"

/**
 * What is known of one migration.
 *
 * - `applied`: it was applied. An SQL file is still what it was then.
 * - `changed`: it was applied from an SQL file whose text is now another one.
 * - `missing`: it was applied from an SQL file that is not there any more.
 * - `pending`: the next run applies it.
 * - `out of order`: it is an SQL file that was not applied, while one with a higher number was.
 * - `skipped`: the same for an Effect. As in Effect's migrator, it is never run.
 *
 * @category models
 * @since 0.1.0
 */
export type MigrationState = "applied" | "changed" | "missing" | "pending" | "out of order" | "skipped"

/**
 * A migration and its state, as `status` gives them.
 *
 * @category models
 * @since 0.1.0
 */
export interface MigrationStatus {
  readonly id: number
  readonly name: string
  /** The name of the SQL file; undefined for an Effect, and if the file is missing. */
  readonly file: string | undefined
  readonly state: MigrationState
  /** Undefined if it was not applied. */
  readonly appliedAt: Date | undefined
}

export const statusOf = (
  applied: ReadonlyArray<Applied>,
  migrations: ReadonlyArray<ResolvedMigration>
): ReadonlyArray<MigrationStatus> => {
  const byId = new Map(applied.map((row) => [row.id, row]))
  const latest = latestOf(applied)
  const known = migrations.map((migration): MigrationStatus => {
    const [id, name] = migration
    const row = byId.get(id)
    byId.delete(id)
    const file = fileOf(migration)
    if (row !== undefined) return { id, name, file, state: stateOfApplied(row, migration), appliedAt: row.appliedAt }
    const state = latest === undefined || id > latest ? "pending" : file === undefined ? "skipped" : "out of order"
    return { id, name, file, state, appliedAt: undefined }
  })
  const gone = Array.from(byId.values(), ({ appliedAt, checksum, id, name }): MigrationStatus => {
    const state = checksum === null ? "applied" : "missing"
    return { id, name, file: undefined, state, appliedAt }
  })
  return [...known, ...gone].toSorted((a, b) => a.id - b.id)
}

const latestOf = (applied: ReadonlyArray<Applied>): number | undefined =>
  applied.length === 0 ? undefined : Math.max(...applied.map(({ id }) => id))

export const fileOf = (migration: ResolvedMigration): string | undefined =>
  isSqlMigration(migration) ? migration.sqlFile.file : undefined

const stateOfApplied = ({ checksum }: Applied, migration: ResolvedMigration): MigrationState => {
  if (checksum === null) return "applied"
  if (!isSqlMigration(migration)) return "missing"
  return migration.sqlFile.checksum === checksum ? "applied" : "changed"
}

export interface Plan {
  readonly pending: ReadonlyArray<ResolvedMigration>
  readonly skipped: ReadonlyArray<ResolvedMigration>
}

/** Fails if something is wrong with what was applied or is to be. */
export const planOf = (
  applied: ReadonlyArray<Applied>,
  migrations: ReadonlyArray<ResolvedMigration>
): Effect.Effect<Plan, PgMigrationError> => {
  const latest = latestOf(applied) ?? 0
  const statuses = statusOf(applied, migrations)
  for (const status of statuses) {
    const reason = objectionTo(status, latest)
    if (reason !== undefined) return Effect.fail(new PgMigrationError({ reason }))
  }
  const states = new Map(statuses.map(({ id, state }) => [id, state]))
  return Effect.succeed({
    pending: migrations.filter(([id]) => states.get(id) === "pending"),
    skipped: migrations.filter(([id]) => states.get(id) === "skipped")
  })
}

const objectionTo = (status: MigrationStatus, latest: number): MigrationReason | undefined => {
  const { file = `${status.id}_${status.name}.sql`, id, state } = status
  switch (state) {
    case "changed": {
      const message = withHint(
        `${file} was changed after it was applied`,
        "Restore it and put the change into a new file. If the database already is as the new text says, set the " +
          `checksum of migration ${id} to NULL in the table of migrations: the file is then no longer compared.`
      )
      return new FileChangedError({ file, message })
    }
    case "missing": {
      const message = withHint(
        `${file} was applied, but is missing`,
        "Restore it. If it was removed on purpose, set the checksum of migration " +
          `${id} to NULL in the table of migrations.`
      )
      return new FileMissingError({ file, message })
    }
    case "out of order": {
      const message = withHint(
        `${file} was not applied, but migration ${latest} was`,
        `Give the file a number above ${latest}.`
      )
      return new OutOfOrderError({ file, latest, message })
    }
    default:
      return undefined
  }
}

/** The column of Effect's table is an `integer`. */
const MAX_ID = 2_147_483_647

/** Fails if two migrations have one number, or a number does not fit into the table. */
export const checked = (
  migrations: ReadonlyArray<ResolvedMigration>
): Effect.Effect<ReadonlyArray<ResolvedMigration>, PgMigrationError> => {
  const seen = new Map<number, string>()
  for (const migration of migrations) {
    const [id] = migration
    const label = fileOf(migration) ?? labelOf(migration)
    const other = seen.get(id)
    seen.set(id, label)
    if (other !== undefined) {
      const message = `${other} and ${label} have the same number`
      return Effect.fail(new PgMigrationError({ reason: new DuplicateError({ migrations: [other, label], message }) }))
    }
    if (!Number.isInteger(id) || id < 0 || id > MAX_ID) {
      const problem = `its number is not between 0 and ${MAX_ID}`
      return Effect.fail(new PgMigrationError({ reason: new InvalidFileError({ file: label, problem }) }))
    }
  }
  return Effect.succeed(migrations.toSorted(([a], [b]) => a - b))
}

export const labelOf = ([id, name]: ResolvedMigration): string => `${id}_${name}`
