/**
 * What calls know of a statement whose text is in `PgSql.TypedStatements`, and that nothing is known of any other text. It
 * is compiled by `test/cli/statements/types.integration.test.ts`, and not run.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { expectTypeOf } from "vitest"
import type * as PgConnection from "effectpg/PgConnection"
import type * as PgCursor from "effectpg/PgCursor"
import type * as PgError from "effectpg/PgError"
import type * as PgSql from "effectpg/PgSql"
import type * as PgStatement from "effectpg/PgStatement"

interface Typed {
  readonly id: number
  readonly name: string | null
}

declare module "effectpg/PgSql" {
  interface TypedStatements {
    "SELECT id, name FROM typed_calls WHERE id = $1": {
      readonly parameters: readonly [id: number | null]
      readonly row: Typed
      readonly tuple: readonly [id: number, name: string | null]
    }
    "SELECT id FROM typed_calls": {
      readonly parameters: readonly []
      readonly row: { readonly id: number }
      readonly tuple: readonly [id: number]
    }
  }
}

type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>
const ONE = "SELECT id, name FROM typed_calls WHERE id = $1"
const ALL = "SELECT id FROM typed_calls"

declare const decoder: Schema.Codec<{ readonly x: number }>

export const known = (pg: PgConnection.Queryable) => {
  expectTypeOf(pg.fetch(ONE, [1])).toEqualTypeOf<Answer<ReadonlyArray<Typed>>>()
  expectTypeOf(pg.fetch(ONE, [null], { timeout: 5 })).toEqualTypeOf<Answer<ReadonlyArray<Typed>>>()
  expectTypeOf(pg.fetch(ALL)).toEqualTypeOf<Answer<ReadonlyArray<{ readonly id: number }>>>()
  expectTypeOf(pg.fetch(ALL, { timeout: 5 })).toEqualTypeOf<Answer<ReadonlyArray<{ readonly id: number }>>>()
  expectTypeOf(pg.fetchTuples(ONE, [1])).toEqualTypeOf<
    Answer<ReadonlyArray<readonly [id: number, name: string | null]>>
  >()
  expectTypeOf(pg.fetchRow(ONE, [1])).toEqualTypeOf<Answer<Option.Option<Typed>>>()
  expectTypeOf(pg.fetchOne(ONE, [1])).toEqualTypeOf<Answer<Typed>>()
  expectTypeOf(pg.fetchValue(ONE, [1])).toEqualTypeOf<Answer<Option.Option<number>>>()
  expectTypeOf(pg.fetchValue(ONE, [1], { column: 1 })).toEqualTypeOf<Answer<Option.Option<string | null>>>()
  expectTypeOf(pg.fetchValue(ONE, [1], { column: "name" })).toEqualTypeOf<Answer<Option.Option<string | null>>>()
  expectTypeOf(pg.fetchMany(ONE, [[1], [null]])).toEqualTypeOf<Answer<ReadonlyArray<ReadonlyArray<Typed>>>>()
  expectTypeOf(pg.stream(ONE, [1])).toEqualTypeOf<Stream.Stream<Typed, PgError.PgError>>()
  expectTypeOf(pg.cursor(ONE, [1])).toEqualTypeOf<Answer<PgCursor.PgCursor<Typed>, Scope.Scope>>()
  expectTypeOf(pg.cursor(ONE, [1], { scroll: true })).toEqualTypeOf<Answer<PgCursor.ScrollCursor<Typed>, Scope.Scope>>()
  expectTypeOf(pg.prepare(ONE)).toEqualTypeOf<Answer<PgStatement.PgStatement<typeof ONE>, Scope.Scope>>()
  expectTypeOf(pg.fetch(ONE, [1], { row: decoder })).toEqualTypeOf<Answer<ReadonlyArray<{ readonly x: number }>>>()
  expectTypeOf<PgSql.RowOf<typeof ONE>>().toEqualTypeOf<Typed>()
  expectTypeOf<PgSql.ParametersOf<typeof ONE>>().toEqualTypeOf<readonly [id: number | null]>()
}

export const held = (statement: PgStatement.PgStatement<typeof ONE>, bare: PgStatement.PgStatement<typeof ALL>) => {
  expectTypeOf(statement.fetch([1])).toEqualTypeOf<Answer<ReadonlyArray<Typed>>>()
  expectTypeOf(statement.fetchValue([1], { column: "name" })).toEqualTypeOf<Answer<Option.Option<string | null>>>()
  expectTypeOf(statement.stream([1])).toEqualTypeOf<Stream.Stream<Typed, PgError.PgError>>()
  expectTypeOf(bare.fetchOne()).toEqualTypeOf<Answer<{ readonly id: number }>>()
  // @ts-expect-error a text is no number
  statement.fetch(["1"])
  // @ts-expect-error the value is missing
  statement.execute()
}

export const wrong = (pg: PgConnection.Queryable) => [
  // @ts-expect-error a text is no number
  pg.fetch(ONE, ["1"]),
  // @ts-expect-error the value is missing
  pg.fetch(ONE),
  // @ts-expect-error the value is missing
  pg.fetchOne(ONE, { timeout: 5 }),
  // @ts-expect-error there is one value too many
  pg.fetchRow(ONE, [1, 2]),
  // @ts-expect-error there is no parameter
  pg.execute(ALL, [1]),
  // @ts-expect-error a text is no number, also if the rows are decoded
  pg.fetch(ONE, ["1"], { row: decoder }),
  // @ts-expect-error there is no such column
  pg.fetchValue(ONE, [1], { column: "nam" }),
  // @ts-expect-error a text is no number, in none of the runs
  pg.executeMany(ONE, [[1], ["2"]])
]

export const unknown = (
  pg: PgConnection.Queryable,
  text: string,
  template: PgSql.Statement,
  column: string | number
) => {
  expectTypeOf(pg.fetch("SELECT 1", [1, "a"])).toEqualTypeOf<Answer<ReadonlyArray<PgConnection.Row>>>()
  expectTypeOf(pg.fetch(text)).toEqualTypeOf<Answer<ReadonlyArray<PgConnection.Row>>>()
  expectTypeOf(pg.fetch(template, { timeout: 5 })).toEqualTypeOf<Answer<ReadonlyArray<PgConnection.Row>>>()
  expectTypeOf(pg.fetchTuples(text)).toEqualTypeOf<Answer<ReadonlyArray<PgConnection.Tuple>>>()
  expectTypeOf(pg.fetchValue(text, [], { column })).toEqualTypeOf<Answer<Option.Option<unknown>>>()
  expectTypeOf(pg.prepare(text)).toEqualTypeOf<Answer<PgStatement.PgStatement, Scope.Scope>>()
  expectTypeOf(pg.prepare("SELECT 1")).toEqualTypeOf<Answer<PgStatement.PgStatement, Scope.Scope>>()
  // A named type is an assertion, also of a text that is known.
  expectTypeOf(pg.fetch<{ readonly y: 1 }>(ONE, [1])).toEqualTypeOf<Answer<ReadonlyArray<{ readonly y: 1 }>>>()
  expectTypeOf(pg.fetchValue<string>(text)).toEqualTypeOf<Answer<Option.Option<string>>>()
  const forwarded = (...call: PgConnection.Call<PgConnection.CallOptions>) => pg.fetch(...call)
  expectTypeOf(forwarded(text, [1])).toEqualTypeOf<Answer<ReadonlyArray<PgConnection.Row>>>()
}
