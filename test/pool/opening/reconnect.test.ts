/** Tests which failures to connect may pass. */
import { assert, describe, it } from "@effect/vitest"
import { isTransient } from "../../../src/pool/opening/reconnect.ts"
import * as PgError from "../../../src/PgError.ts"

const attempt = (host: string, stage: PgError.ConnectStage, protocol?: string): PgError.ConnectAttempt => ({
  host,
  port: 5432,
  address: undefined,
  stage,
  reason: "test",
  protocol
})

const isConnectErrorTransient = (...attempts: ReadonlyArray<PgError.ConnectAttempt>): boolean =>
  isTransient(new PgError.ConnectError({ stage: attempts.at(-1)?.stage ?? "tcp", attempts }))

describe("a failure to connect", () => {
  it("may pass if the host cannot be reached, is unknown, or has another role", () => {
    for (const stage of ["resolve", "tcp", "startup"] as const) {
      assert.isTrue(isConnectErrorTransient(attempt("a", stage)), stage)
    }
  })

  it("does not pass if TLS fails or another kind of server answers", () => {
    assert.isFalse(isConnectErrorTransient(attempt("a", "tls")))
    assert.isFalse(isConnectErrorTransient(attempt("a", "startup", "HTTP")))
  })

  it("may pass if the server has closed the connection during the negotiation of TLS, as one that stops does", () => {
    assert.isTrue(isConnectErrorTransient({ ...attempt("a", "tls"), wasClosed: true }))
  })

  it("does not pass if one address of the only host answers wrongly, in whichever order", () => {
    assert.isFalse(isConnectErrorTransient(attempt("localhost", "tcp"), attempt("localhost", "startup", "HTTP")))
    assert.isFalse(isConnectErrorTransient(attempt("localhost", "tls"), attempt("localhost", "tcp")))
  })

  it("may pass if one of several hosts may recover, in whichever order", () => {
    assert.isTrue(isConnectErrorTransient(attempt("a", "tcp"), attempt("b", "tls")))
    assert.isTrue(isConnectErrorTransient(attempt("a", "startup", "HTTP"), attempt("b", "tcp")))
  })
})
