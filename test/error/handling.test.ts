import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expectTypeOf } from "vitest"
import * as frequent from "../../src/error/frequentErrors.generated.ts"
import * as guards from "../../src/error/sqlStateGuards.generated.ts"
import { sqlStates } from "../../src/error/sqlState.generated.ts"
import * as PgError from "../../src/PgError.ts"
import { errorFields } from "../fixtures/errorFields.ts"

const ofCode = (code: string): PgError.PostgresError =>
  PgError.fromServer(errorFields({ code }), { sql: undefined, outcome: "none" })

const listed: ReadonlyMap<string, string> = new Map(Object.values(sqlStates).flatMap((codes) => Object.entries(codes)))

const duplicate = PgError.make("UniqueViolationError", { constraintName: "users_email_key" })

describe("the guards of the classes", () => {
  it("are one for each class, which holds for its errors only", () => {
    const named = Object.entries(guards)
    assert.lengthOf(named, Object.keys(sqlStates).length)
    const held = new Set<string>()
    for (const codes of Object.values(sqlStates)) {
      const names = Object.keys(codes).map((code) =>
        named.filter(([, guard]) => guard(ofCode(code))).map(([name]) => name)
      )
      assert.lengthOf(new Set(names.map((of) => of.join())), 1)
      assert.lengthOf(names[0] ?? [], 1)
      held.add(names[0]?.join() ?? "")
    }
    assert.strictEqual(held.size, named.length)
  })

  it("hold for codes that PostgreSQL does not list, and for nothing that is no error of the server", () => {
    assert.isTrue(PgError.isIntegrityConstraintViolation(ofCode("23XYZ")))
    assert.isFalse(PgError.isIntegrityConstraintViolation(ofCode("22XYZ")))
    assert.isFalse(PgError.isIntegrityConstraintViolation({ code: "23505" }))
    assert.isFalse(PgError.isIntegrityConstraintViolation(undefined))
  })

  it("narrow to the errors of the class", () => {
    const error: unknown = duplicate
    assert.isTrue(PgError.isTransactionRollback(ofCode("40001")))
    if (!PgError.isIntegrityConstraintViolation(error)) return assert.fail("it is one")
    expectTypeOf(error._tag).toEqualTypeOf<
      | "IntegrityConstraintViolationError"
      | "RestrictViolationError"
      | "NotNullViolationError"
      | "ForeignKeyViolationError"
      | "UniqueViolationError"
      | "CheckViolationError"
      | "ExclusionViolationError"
    >()
  })
})

const failing = (error: PgError.PgError): Effect.Effect<number, PgError.PgError> => Effect.fail(error)

describe("catchClass", () => {
  it.effect("catches the errors of the class, piped or not", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* failing(duplicate).pipe(PgError.catchClass("23", (error) => Effect.succeed(error._tag))),
        "UniqueViolationError"
      )
      assert.strictEqual(
        yield* PgError.catchClass(failing(ofCode("23XYZ")), "23", (error) => Effect.succeed(error._tag)),
        "IntegrityConstraintViolationError"
      )
    })
  )

  it.effect("lets every other failure pass as it is", () =>
    Effect.gen(function* () {
      for (const error of [ofCode("22012"), ofCode("XY123"), new PgError.PoolClosedError()]) {
        const exit = yield* failing(error).pipe(
          PgError.catchClass("23", () => Effect.succeed(0)),
          Effect.exit
        )
        assert.deepStrictEqual<unknown>(exit, Exit.fail(error))
      }
      const defect = yield* Effect.die(duplicate).pipe(
        PgError.catchClass("23", () => Effect.succeed(0)),
        Effect.exit
      )
      assert.deepStrictEqual(defect, Exit.die(duplicate))
    })
  )

  it("leaves PgError whole in the type, takes out a narrower one, and adds what its handler fails with", () => {
    const handled = failing(duplicate).pipe(
      PgError.catchClass("23", (error) => {
        expectTypeOf(error).toEqualTypeOf<PgError.PostgresErrorOfClass<"23">>()
        return Effect.fail("taken" as const)
      })
    )
    const dataFirst = PgError.catchClass(failing(duplicate), "23", () => Effect.fail("taken" as const))
    expectTypeOf(handled).toEqualTypeOf<Effect.Effect<number, PgError.PgError | "taken">>()
    expectTypeOf(dataFirst).toEqualTypeOf<typeof handled>()
    const narrow: Effect.Effect<number, PgError.UniqueViolationError> = Effect.fail(
      PgError.make("UniqueViolationError")
    )
    expectTypeOf(PgError.catchClass(narrow, "23", () => Effect.void)).toEqualTypeOf<Effect.Effect<number | void>>()
    // @ts-expect-error: not a class that PostgreSQL has
    assert.isFunction(PgError.catchClass("99", () => Effect.void))
  })
})

class Conflict extends Data.TaggedError("Conflict")<{ readonly name: string }> {}

type Either = PgError.PgError | Conflict

const failingWith = (error: Either): Effect.Effect<number, Either> => Effect.fail(error)

const lost = new PgError.ConnectionLostError({
  reason: "it broke",
  server: undefined,
  safeToRetry: true,
  outcome: "none"
})

describe("catchTags", () => {
  it.effect("runs the handler of the tag, of the server's errors, the client's and others, piped or not", () =>
    Effect.gen(function* () {
      const handle = (error: Either) =>
        failingWith(error).pipe(
          PgError.catchTags({
            UniqueViolationError: (error) => Effect.succeed(error.constraintName),
            ConnectionLostError: ({ safeToRetry }) => Effect.succeed(safeToRetry),
            Conflict: ({ name }) => Effect.succeed(name)
          })
        )
      assert.strictEqual(yield* handle(duplicate), "users_email_key")
      assert.strictEqual(yield* handle(lost), true)
      assert.strictEqual(yield* handle(new Conflict({ name: "ada" })), "ada")
      assert.strictEqual(
        yield* PgError.catchTags(failingWith(lost), { ConnectionLostError: ({ reason }) => Effect.succeed(reason) }),
        "it broke"
      )
    })
  )

  it.effect("lets every other failure pass as it is, also one that is called like a method of objects", () =>
    Effect.gen(function* () {
      const handle = PgError.catchTags({ UniqueViolationError: () => Effect.succeed(0) })
      for (const error of [
        ofCode("22012"),
        lost,
        { _tag: "toString" },
        { _tag: 1 },
        "UniqueViolationError",
        undefined
      ]) {
        assert.deepStrictEqual<unknown>(yield* Effect.exit(handle(Effect.fail(error))), Exit.fail(error))
      }
      assert.deepStrictEqual(yield* Effect.exit(handle(Effect.die(duplicate))), Exit.die(duplicate))
    })
  )

  it("gives each handler the type of its error, and takes the application's errors out of the type", () => {
    const handled = failingWith(duplicate).pipe(
      PgError.catchTags({
        UniqueViolationError: (error) => {
          expectTypeOf(error).toEqualTypeOf<PgError.UniqueViolationError>()
          return Effect.fail("taken" as const)
        },
        EncodeError: (error) => {
          expectTypeOf(error).toEqualTypeOf<PgError.EncodeError>()
          return Effect.succeed("a")
        },
        Conflict: (error) => {
          expectTypeOf(error).toEqualTypeOf<Conflict>()
          return Effect.succeed(true)
        }
      })
    )
    expectTypeOf(handled).toEqualTypeOf<Effect.Effect<number | string | boolean, PgError.PgError | "taken">>()
    assert.isTrue(Effect.isEffect(handled))
    const narrow: Effect.Effect<number, PgError.PostgresErrorOfClass<"23">> = Effect.fail(
      PgError.make("CheckViolationError")
    )
    const inClass = PgError.catchTags(narrow, { CheckViolationError: () => Effect.void })
    expectTypeOf(inClass).toEqualTypeOf<Effect.Effect<number | void, PgError.PostgresErrorOfClass<"23">>>()
  })
})

describe("the ways to take PgError out of the type", () => {
  it.effect("catchAll handles every error of effectpg and no other, piped or not", () =>
    Effect.gen(function* () {
      const handle = PgError.catchAll((error) => Effect.succeed(error.outcome))
      for (const error of [duplicate, lost]) assert.strictEqual(yield* handle(failingWith(error)), "none")
      const conflict = new Conflict({ name: "ada" })
      const passed = PgError.catchAll(failingWith(conflict), () => Effect.succeed(0))
      expectTypeOf(passed).toEqualTypeOf<Effect.Effect<number, Conflict>>()
      assert.strictEqual(yield* Effect.flip(passed), conflict)
    })
  )

  it.effect("mapError replaces every error of effectpg and no other, piped or not", () =>
    Effect.gen(function* () {
      const conflict = new Conflict({ name: "ada" })
      const mapped = failingWith(duplicate).pipe(PgError.mapError((error) => error._tag.length))
      expectTypeOf(mapped).toEqualTypeOf<Effect.Effect<number, Conflict | number>>()
      assert.strictEqual(yield* Effect.flip(mapped), "UniqueViolationError".length)
      assert.strictEqual(yield* Effect.flip(PgError.mapError(failingWith(conflict), () => 0)), conflict)
    })
  )

  it.effect("orDie makes every error of effectpg a defect and no other", () =>
    Effect.gen(function* () {
      const died = PgError.orDie(failingWith(duplicate))
      expectTypeOf(died).toEqualTypeOf<Effect.Effect<number, Conflict>>()
      expectTypeOf(PgError.orDie(failing(duplicate))).toEqualTypeOf<Effect.Effect<number>>()
      assert.deepStrictEqual(yield* Effect.exit(died), Exit.die(duplicate))
      const conflict = new Conflict({ name: "ada" })
      assert.strictEqual(yield* Effect.flip(PgError.orDie(failingWith(conflict))), conflict)
    })
  )
})

describe("make", () => {
  it("makes an error with the code of its tag, and with the given fields", () => {
    const made = PgError.make("UniqueViolationError", { constraintName: "users_email_key", sql: "SELECT 1" })
    expectTypeOf(made).toEqualTypeOf<PgError.UniqueViolationError>()
    assert.isTrue(PgError.isUniqueViolation(made))
    assert.strictEqual(made.code, "23505")
    assert.strictEqual(made.constraintName, "users_email_key")
    assert.strictEqual(made.sql, "SELECT 1")
    assert.strictEqual(made.outcome, "none")
    assert.strictEqual(made.detail, undefined)
    assert.strictEqual(PgError.make("DeadlockDetectedError", { outcome: "unknown" }).outcome, "unknown")
  })

  it("makes what the server would report, for every tag", () => {
    for (const [code, tag] of [...listed, ["99999", "UnknownPostgresError"] as const]) {
      assert.isTrue(isTag(tag))
      if (isTag(tag)) assert.strictEqual(PgError.make(tag).code, code)
      assert.strictEqual(ofCode(code)._tag, tag)
    }
    assert.strictEqual(PgError.make("UnknownPostgresError", { code: "XY123" }).code, "XY123")
  })
})

const isTag = (tag: string): tag is PgError.SqlStateTag => listedTags.has(tag)

const listedTags: ReadonlySet<string> = new Set([...listed.values(), "UnknownPostgresError"])

describe("the guards of the frequent errors", () => {
  const frequentGuards: Readonly<Record<string, (value: unknown) => boolean>> = { ...frequent }

  it("hold for the errors of one SQLSTATE each, and for nothing else", () => {
    assert.isAbove(Object.keys(frequentGuards).length, 20)
    const held = Object.values(frequentGuards).flatMap((guard) => {
      assert.isFalse(guard({ _tag: "UniqueViolationError", code: "23505" }))
      const codes = [...listed.keys()].filter((code) => guard(ofCode(code)))
      assert.lengthOf(codes, 1)
      return codes
    })
    assert.strictEqual(new Set(held).size, held.length)
  })

  it("are hasTag for a tag, which there is for every other tag too", () => {
    const error: unknown = ofCode("42P20")
    if (!PgError.hasTag("WindowingError")(error)) return assert.fail("it is one")
    expectTypeOf(error).toEqualTypeOf<PgError.PostgresError<"WindowingError">>()
    assert.isFalse(PgError.isUniqueViolation(error))
  })
})
