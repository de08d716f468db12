/** The types of rows that a caller names: who names none has `Row`, whatever is made of the result. */
import { assert, describe, it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as PgConnection from "../../src/PgConnection.ts"
import type * as PgCursor from "../../src/PgCursor.ts"
import type * as PgError from "../../src/PgError.ts"
import type * as PgStatement from "../../src/PgStatement.ts"
import { sql } from "../../src/PgSql.ts"

interface User {
  readonly id: number
}
type Answer<A, R = never> = Effect.Effect<A, PgError.PgError, R>

/** Whether two types are one. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const isSame = <A, B>(same: Same<A, B>): boolean => same

/** These functions are only compiled. */
const claimed = (pg: PgConnection.Queryable, statement: PgStatement.PgStatement) => {
  const fetch = pg.fetch<User>("SELECT")
  const template = pg.fetch<User>(sql`SELECT`, { timeout: 1 })
  const tuples = pg.fetchTuples<readonly [number, string]>("SELECT")
  const row = pg.fetchRow<User>("SELECT", [1])
  const one = pg.fetchOne<User>("SELECT")
  const value = pg.fetchValue<bigint>("SELECT", [], { column: "id" })
  const stream = pg.stream<User>("SELECT")
  const cursor = pg.cursor<User>("SELECT")
  const scroll = pg.cursor<User>("SELECT", [], { scroll: true })
  const held = statement.fetchOne<User>([1])
  return [
    isSame<typeof fetch, Answer<ReadonlyArray<User>>>(true),
    isSame<typeof template, Answer<ReadonlyArray<User>>>(true),
    isSame<typeof tuples, Answer<ReadonlyArray<readonly [number, string]>>>(true),
    isSame<typeof row, Answer<Option.Option<User>>>(true),
    isSame<typeof one, Answer<User>>(true),
    isSame<typeof value, Answer<Option.Option<bigint>>>(true),
    isSame<typeof stream, Stream.Stream<User, PgError.PgError>>(true),
    isSame<typeof cursor, Answer<PgCursor.PgCursor<User>, Scope.Scope>>(true),
    isSame<typeof scroll, Answer<PgCursor.ScrollCursor<User>, Scope.Scope>>(true),
    isSame<typeof held, Answer<User>>(true)
  ]
}

const unclaimed = (pg: PgConnection.Queryable) => {
  const fetch = pg.fetch("SELECT")
  const value = pg.fetchValue("SELECT")
  const cursor = pg.cursor("SELECT")
  // @ts-expect-error a type that is only expected is no claim
  const expected: Answer<ReadonlyArray<User>> = pg.fetch("SELECT")
  // @ts-expect-error a type that is only expected is no claim
  const expectedOne: Answer<User> = pg.fetchOne("SELECT")
  // @ts-expect-error a value is unknown until someone says what it is
  const expectedValue: Answer<Option.Option<bigint>> = pg.fetchValue("SELECT")
  return [
    expected,
    expectedOne,
    expectedValue,
    isSame<typeof fetch, Answer<ReadonlyArray<PgConnection.Row>>>(true),
    isSame<typeof value, Answer<Option.Option<unknown>>>(true),
    isSame<typeof cursor, Answer<PgCursor.PgCursor, Scope.Scope>>(true)
  ]
}

describe("the type of a row", () => {
  it("is the one that the caller names, and is not taken from what is expected of the result", () => {
    assert.isFunction(claimed)
    assert.isFunction(unclaimed)
  })
})
