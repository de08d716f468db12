import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { renderClientError, renderEssentials, renderReport } from "../../src/error/report.ts"
import { errorFields } from "../fixtures/errorFields.ts"

const lines = (...text: ReadonlyArray<string>): string => text.join("\n")

/** The statement as the report shows it, without the labels above it. */
const marked = (sql: string, position: string | undefined): string => {
  const report = renderReport({ ...errorFields({ position }), _tag: "InternalServerError", sql })
  const label = "\nSQL:\n"
  return report.slice(report.indexOf(label) + label.length)
}

describe("the report of an error", () => {
  it("has all fields that the server sent, and marks the position in the statement", () => {
    const error = {
      ...errorFields({
        severity: "FEHLER",
        code: "42703",
        message: 'column "nam" does not exist',
        detail: "There is a column that you cannot see.",
        hint: 'Perhaps you meant to reference the column "users.name".',
        where: "PL/pgSQL function find_user(text) line 3 at RETURN QUERY",
        position: "12",
        internalQuery: "SELECT name\nFROM user",
        internalPosition: "18"
      }),
      _tag: "UndefinedColumnError",
      sql: "SELECT id, nam FROM users"
    }
    assert.strictEqual(
      renderReport(error),
      lines(
        'ERROR 42703: column "nam" does not exist',
        "DETAIL: There is a column that you cannot see.",
        'HINT: Perhaps you meant to reference the column "users.name".',
        "WHERE: PL/pgSQL function find_user(text) line 3 at RETURN QUERY",
        "SQL:",
        "  1 | SELECT id, nam FROM users",
        "    |            ^",
        "INTERNAL QUERY:",
        "  1 | SELECT name",
        "  2 | FROM user",
        "    |      ^"
      )
    )
    assert.strictEqual(
      renderEssentials(error),
      lines(
        'UndefinedColumnError: column "nam" does not exist',
        "SQLSTATE: 42703",
        'HINT: Perhaps you meant to reference the column "users.name".',
        "SQL:",
        "  1 | SELECT id, nam FROM users",
        "    |            ^"
      )
    )
  })

  it("is one line if the server sent nothing more", () => {
    const error = {
      ...errorFields({ severityUnlocalized: "FATAL", code: "57P03" }),
      _tag: "CannotConnectNowError",
      sql: undefined
    }
    assert.strictEqual(renderReport(error), "FATAL 57P03: it broke")
  })

  it("indents the further lines of a field", () => {
    const detail = "Process 1 waits for process 2.\nProcess 2 waits for process 1."
    const error = {
      ...errorFields({ code: "40P01", message: "deadlock detected", detail }),
      _tag: "DeadlockDetectedError",
      sql: undefined
    }
    assert.strictEqual(
      renderReport(error),
      lines(
        "ERROR 40P01: deadlock detected",
        "DETAIL: Process 1 waits for process 2.",
        "  Process 2 waits for process 1."
      )
    )
  })
})

describe("the statement in a report", () => {
  it("has no caret without a valid position", () => {
    for (const position of [undefined, "", "0", "-1", "1.5", "x", "9".repeat(400)]) {
      const text = marked("SELECT 1", position)
      assert.strictEqual(
        text,
        position === "9".repeat(400) ? "  1 | SELECT 1\n    |         ^" : "  1 | SELECT 1",
        position
      )
    }
  })

  it("marks a character of a line between others", () => {
    assert.strictEqual(
      marked("SELECT *\nFROM nowhere\nWHERE true", "15"),
      lines("  1 | SELECT *", "  2 | FROM nowhere", "    |      ^", "  3 | WHERE true")
    )
  })

  it("marks the first and the last character, and the end for a position beyond", () => {
    assert.strictEqual(marked("SELECT", "1"), lines("  1 | SELECT", "    | ^"))
    assert.strictEqual(marked("SELECT", "6"), lines("  1 | SELECT", "    |      ^"))
    assert.strictEqual(marked("SELECT", "7"), lines("  1 | SELECT", "    |       ^"))
    assert.strictEqual(marked("SELECT\n1 +", "999"), lines("  1 | SELECT", "  2 | 1 +", "    |    ^"))
    assert.strictEqual(marked("", "1"), lines("  1 | ", "    | ^"))
  })

  it("marks the end of a line for its line break", () => {
    assert.strictEqual(marked("ab\ncd", "3"), lines("  1 | ab", "    |   ^", "  2 | cd"))
    assert.strictEqual(marked("ab\r\ncd", "5"), lines("  1 | ab", "  2 | cd", "    | ^"))
  })

  it("counts a surrogate pair as one character", () => {
    assert.strictEqual(marked("SELECT '𝒳𝒴' x", "13"), lines("  1 | SELECT '𝒳𝒴' x", "    |             ^"))
  })

  it("places the caret under tabs, under wide characters, and under characters without a width", () => {
    assert.strictEqual(marked("\tSELECT\tx", "9"), lines("  1 | \tSELECT\tx", "    | \t      \t^"))
    assert.strictEqual(marked("'日本' x", "6"), lines("  1 | '日本' x", "    |        ^"))
    assert.strictEqual(marked("'😀' x", "5"), lines("  1 | '😀' x", "    |      ^"))
    assert.strictEqual(marked("'e\u0301' x", "6"), lines("  1 | 'e\u0301' x", "    |     ^"))
  })

  it("is cut to the lines around the caret", () => {
    const sql = Array.from({ length: 100 }, (_, index) => `line ${index + 1}`).join("\n")
    const text = marked(sql, String(sql.indexOf("line 50") + 1)).split("\n")
    assert.deepStrictEqual(
      [text[0], text.at(-2), text.at(-1)],
      ["  40 | line 40", "  59 | line 59", "   … | 41 more lines"]
    )
    assert.strictEqual(text[text.indexOf("  50 | line 50") + 1], "     | ^")
  })

  it("is cut to the first lines if there is no caret, and to the last ones if the caret is at the end", () => {
    const sql = Array.from({ length: 21 }, (_, index) => `line ${index + 1}`).join("\n")
    const text = marked(sql, undefined).split("\n")
    assert.deepStrictEqual([text[0], text.at(-1)], ["   1 | line 1", "   … | 1 more line"])
    assert.lengthOf(text, 21)
    const end = marked(sql, "9999").split("\n")
    assert.deepStrictEqual([end[0], end.at(-2), end.at(-1)], ["   2 | line 2", "  21 | line 21", "     |        ^"])
  })

  it("is cut within a long line, between characters", () => {
    const long = `${"𝒳".repeat(1000)}!${"𝒳".repeat(1000)}`
    const [line = "", caret = ""] = marked(long, "1001").split("\n")
    assert.match(line, /^ {2}1 \| …𝒳+!𝒳+…$/u)
    assert.isBelow(line.length, 180)
    assert.strictEqual(Array.from(line)[caret.indexOf("^")], "!")
    assert.strictEqual(marked("x".repeat(1000), undefined), `  1 | ${"x".repeat(160)}…`)
  })

  it("has no caret if the error is about the whole statement", () => {
    assert.strictEqual(
      renderClientError({ name: "EncodeError", message: "no", hint: "Use null.", sql: "SELECT $1,\n  $2" }),
      lines("EncodeError: no", "HINT: Use null.", "SQL:", "  1 | SELECT $1,", "  2 |   $2")
    )
  })

  const Sql = Arbitrary.map(
    Arbitrary.schema(Schema.Array(Schema.Literals(["a", "(", "é", "𝒳", "\t", "\n"])).check(Schema.isMinLength(1))),
    (characters) => characters.join("")
  )
  const Place = Arbitrary.schema(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 0.999 })))

  it.prop("has its caret under the character at the position", [Sql, Place], ([sql, place]) => {
    const characters = Array.from(sql)
    const index = Math.floor(place * characters.length)
    const shown = marked(sql, String(index + 1)).split("\n")
    const below = shown.findIndex((line) => line.endsWith("^"))
    const line = Array.from(shown[below - 1] ?? "")
    const at = Array.from(shown[below] ?? "").indexOf("^")

    const row = characters.slice(0, index).filter((character) => character === "\n").length
    assert.include(line.join(""), ` ${row + 1} | `)
    if (characters[index] !== "\n" && characters[index] !== "\t") assert.strictEqual(line[at], characters[index])
  })
})
