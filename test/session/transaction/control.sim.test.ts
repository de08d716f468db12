/** Tests control statements that are not answered. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { submitControl } from "../../../src/session/transaction/control.ts"
import { establish, scriptedServer } from "../../support/scriptedServer.ts"

describe("a cleanup statement that is not answered", () => {
  it.live("ends the session with its name, and never shows its SQL, which may contain settings of the user", () =>
    Effect.gen(function* () {
      const { session } = yield* establish(yield* scriptedServer, { cancelTimeoutMillis: 50 })
      submitControl(
        session,
        { operation: "the reset", sql: "SELECT set_config('app.key', 'classified', false)" },
        () => {}
      )
      const lost = yield* Effect.callback<unknown>(
        (resume) => void session.onEnd((error) => resume(Effect.succeed(error)))
      )
      assert.include(String(lost), "the server did not answer the reset within 50 ms")
      assert.notInclude(JSON.stringify(lost), "classified")
      assert.notInclude(String(lost), "classified")
    }).pipe(Effect.scoped)
  )
})
