/** Gets the Effect that a migration consists of from what its loader has found: the Effect, or a module that exports it. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { ResolvedMigration } from "effect/sql/Migrator"
import type { SqlClient } from "effect/sql/SqlClient"
import { InvalidFileError, PgMigrationError } from "./migrationError.ts"
import { labelOf } from "./plan.ts"

export type Implementation = Effect.Effect<unknown, unknown, SqlClient>

export const implementationOf = (
  migration: ResolvedMigration
): Effect.Effect<Implementation, PgMigrationError, SqlClient> => {
  const found: Effect.Effect<unknown, unknown, SqlClient> = migration[2]
  const invalid = (problem: string, cause?: unknown) =>
    new PgMigrationError({ reason: new InvalidFileError({ file: labelOf(migration), problem, cause }) })
  return Effect.catchDefect(found, Effect.fail).pipe(
    Effect.mapError((error) => invalid(`it cannot be imported: ${String(error)}`, error)),
    Effect.flatMap((loaded) => {
      const exported = Effect.isEffect(loaded) ? loaded : defaultOf(loaded)
      if (isImplementation(exported)) return Effect.succeed(exported)
      return Effect.fail(
        invalid(exported === undefined ? "it has no default export" : "its default export is no Effect")
      )
    })
  )
}

/** A module that was compiled to CommonJS has its default export behind two defaults. */
const defaultOf = (module: unknown): unknown => {
  if (!Predicate.hasProperty(module, "default")) return undefined
  const exported = module.default
  return !Effect.isEffect(exported) && Predicate.hasProperty(exported, "default") ? exported.default : exported
}

/** Nobody can see what else it needs or gives. Effect's type of a migration promises as much. */
const isImplementation = (value: unknown): value is Implementation => Effect.isEffect(value)
