import { assert, describe, it } from "@effect/vitest"
import * as PgError from "../../../src/PgError.ts"
import { isFatal, NOTHING_ASKED } from "../../../src/session/statement/outcome.ts"
import { requestRefused, serverError } from "../../../src/session/engine/serverError.ts"
import { type ErrorFields, readErrorFields } from "../../../src/wire/errorFields.ts"
import { Unencodable } from "../../../src/wire/failure.ts"
import { type ErrorAttributes, error } from "../../support/scriptedServer/say.ts"

const fieldsOf = (attributes: ErrorAttributes): ErrorFields => {
  const message = error(attributes)
  return readErrorFields(message, 5, message.length)
}

const fatal = fieldsOf({ severity: "FATAL", code: "57P01" })
const failed = fieldsOf({ code: "23505" })

const outcomeOf = (fields: ErrorFields, hasRun: boolean, mayOutlastError = false) =>
  serverError(fields, "SQL", { hasRun, mayOutlastError }).outcome

const hintFor = (fields: ErrorFields) => serverError(fields, "SQL", NOTHING_ASKED).hint

describe("an error of the server", () => {
  it("ends the session if its severity says so, in whatever language", () => {
    assert.isTrue(isFatal(fatal))
    assert.isTrue(isFatal(fieldsOf({ severity: "PANIC", code: "XX000" })))
    assert.isFalse(isFatal(failed))
    assert.isTrue(isFatal({ ...failed, severity: "FEHLER", severityUnlocalized: "FATAL" }))
    assert.isFalse(isFatal({ ...failed, severity: "FATAL", severityUnlocalized: "ERROR" }))
  })

  it("has outcome none, unless the command was complete and the server left", () => {
    assert.strictEqual(outcomeOf(failed, false), "none")
    assert.strictEqual(outcomeOf(failed, true), "none")
    assert.strictEqual(outcomeOf(fatal, false), "none")
    assert.strictEqual(outcomeOf(fatal, true), "unknown")
    assert.strictEqual(outcomeOf(failed, true, true), "unknown")
    assert.strictEqual(outcomeOf(fieldsOf({ severity: "PANIC", code: "XX000" }), false), "unknown")
  })

  it("has the statement", () => {
    assert.strictEqual(serverError(failed, "INSERT", NOTHING_ASKED).sql, "INSERT")
  })

  it("gets a hint if only the client knows the way out, and keeps the server's own hint", () => {
    const several = fieldsOf({ code: "42601", routine: "exec_parse_message" })
    assert.include(hintFor(several), "executeScript")
    const stale = fieldsOf({ code: "0A000", routine: "RevalidateCachedQuery" })
    assert.include(serverError(stale, "SQL", NOTHING_ASKED, { isDropped: true }).hint, "Run the transaction again")
    assert.strictEqual(hintFor(stale), undefined)
    for (const code of ["26000", "42P05"]) {
      assert.include(hintFor(fieldsOf({ code, message: 'prepared statement "effectpg_1"' })), "statementMode")
      assert.strictEqual(hintFor(fieldsOf({ code, message: 'prepared statement "of the user"' })), undefined)
    }
    assert.strictEqual(hintFor(fieldsOf({ code: "42601", routine: "scanner_yyerror" })), undefined)
    assert.strictEqual(hintFor(failed), undefined)
    assert.strictEqual(hintFor({ ...several, hint: "the server's own" }), "the server's own")
  })
})

describe("a request that cannot be encoded", () => {
  it("is an error of the SQL text if no parameter is to blame", () => {
    const refused = requestRefused(new Unencodable("the SQL text contains a NUL character"), "SELECT")
    assert.instanceOf(refused, PgError.EncodeError)
    assert.include(refused.message, "the SQL text contains a NUL character")
  })

  it("keeps a more specific error", () => {
    const count = new PgError.ParameterCountError({ expected: 1, actual: 2, sql: "SELECT" })
    assert.strictEqual(requestRefused(count, "SELECT"), count)
  })
})
