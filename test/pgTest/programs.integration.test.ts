/**
 * Tests that the programs of PgTest find what is wrong with transactions, and make it small. That all is right with those
 * of this project is shown by `test/transactions/programs.integration.test.ts`.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as PgClient from "../../src/PgClient.ts"
import * as PgTest from "../../src/PgTest.ts"

const insert = (n: number): PgTest.Step => ({ _tag: "Insert", n })
const nested = (...steps: ReadonlyArray<PgTest.Step>): PgTest.Step => ({ _tag: "Nested", steps, isCaught: true })
const update: PgTest.Step = { _tag: "Update" }
const fail: PgTest.Step = { _tag: "Fail" }

describe("the model of a program", () => {
  it.each<readonly [string, PgTest.Program, ReadonlyArray<string>, ReadonlyArray<number>]>([
    ["nothing", [], ["success"], []],
    ["inserts and an update", [insert(0), update, insert(1)], ["success"], [1, 1_000]],
    [
      "a nested transaction that updates what was there",
      [insert(0), nested(update, insert(1))],
      ["success"],
      [1, 1_000]
    ],
    ["one that fails", [insert(0), nested(update, insert(1), fail), insert(2)], ["success"], [0, 2]],
    ["a failure", [insert(0), nested(insert(1)), fail], ["failure"], []],
    ["a refusal that is caught", [insert(0), { _tag: "Refused", isCaught: true }], ["TransactionRolledBackError"], []],
    ["a refusal that is caught inside", [insert(0), nested({ _tag: "Refused", isCaught: true })], ["success"], [0]]
  ])("knows what remains of %s", (_, program, endings, numbers) => {
    assert.deepStrictEqual(PgTest.expectedOf(program), { endings, numbers })
  })
})

/** Runs random programs on a subject until one does not do as the model says, and makes that one small. */
const smallestWrong = (breaking: (subject: PgTest.Subject) => PgTest.Subject) =>
  Effect.gen(function* () {
    const pg = yield* PgClient.PgClient
    const subject = breaking(
      PgTest.subjectOf(pg, {
        insert: (n) => pg.execute("INSERT INTO numbers VALUES ($1)", [n]),
        update: pg.execute("UPDATE numbers SET n = n + $1", [PgTest.CHANGE])
      })
    )
    const property = (program: PgTest.Program) =>
      Effect.gen(function* () {
        yield* pg.executeScript("DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n int4)")
        const exit = yield* Effect.exit(PgTest.runProgram(subject, program))
        const expected = PgTest.expectedOf(program)
        const rows = yield* pg.fetchTuples("SELECT n FROM numbers ORDER BY n")
        return expected.endings.includes(PgTest.endingOf(exit)) && String(rows) === String(expected.numbers)
      })
    return yield* Arbitrary.checkEffect(PgTest.programs(), property, { runs: 300, seed: 1 })
  })

layer(PgTest.layer())("programs of transactions", (it) => {
  it.effect("find nothing if transactions are as they should be", () =>
    Effect.gen(function* () {
      const { _tag: result } = yield* smallestWrong((subject) => subject)
      assert.strictEqual(result, "Passed")
    })
  )

  it.effect("find transactions that keep what they have done before a failure, with the least that shows it", () =>
    Effect.gen(function* () {
      const result = yield* smallestWrong((subject) => ({ ...subject, transaction: (body) => body }))
      const program = result._tag === "Falsified" ? result.shrunkInput : assert.fail(result._tag)
      // An insert, and something that undoes it or fails after it.
      assert.isAtMost(program.length, 2)
    })
  )

  it.effect("find nested transactions that are none, with the least that shows it", () =>
    Effect.gen(function* () {
      let depth = 0
      const result = yield* smallestWrong((subject) => ({
        ...subject,
        transaction: (body) =>
          Effect.suspend(() => {
            const inner = Effect.ensuring(
              body,
              Effect.sync(() => depth--)
            )
            return depth++ === 0 ? subject.transaction(inner) : inner
          })
      }))
      const program = result._tag === "Falsified" ? result.shrunkInput : assert.fail(result._tag)
      assert.isAtMost(program.length, 2)
    })
  )
})
