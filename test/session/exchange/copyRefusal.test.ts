import { assert, describe, it } from "@effect/vitest"
import { mayCopy } from "../../../src/session/statement/mayCopy.ts"
import { NO_COPY } from "../../../src/session/exchange/copyRefusal.ts"

describe("a text", () => {
  it.each([
    "COPY t FROM STDIN",
    "copy t to stdout",
    " \n/* x */ Copy\tt FROM STDIN",
    "SELECT 1; COPY t FROM STDIN",
    "COPY"
  ])("may start a COPY: %j", (sql) => {
    assert.isTrue(mayCopy(sql))
  })

  it.each(["SELECT 1", "SELECT * FROM photocopy", "SELECT copyright", "UPDATE copy_of_t SET a = 1", ""])(
    "cannot start a COPY: %j",
    (sql) => {
      assert.isFalse(mayCopy(sql))
    }
  )
})

describe("the error of a COPY that cannot stream", () => {
  it("names the call that can", () => {
    assert.include(NO_COPY.in("COPY t FROM STDIN").message, "copyIn")
    assert.include(NO_COPY.out("COPY t TO STDOUT").message, "copyOut")
    assert.strictEqual(NO_COPY.in("COPY t FROM STDIN").sql, "COPY t FROM STDIN")
  })
})
