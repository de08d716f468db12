/** The messages are those of PgBouncer 1.18 and Pgpool-II 4.3, as they came over the wire. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Buffer } from "node:buffer"
import { refusalOfPooler } from "../../../src/session/opening/poolerRefusal.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import { readErrorFields } from "../../../src/wire/errorFields.ts"
import { scriptedServer } from "../../support/scriptedServer.ts"
import { greeted } from "../../support/scriptedServer/greeting.ts"
import { cstring, frame } from "../../wire/frames.ts"

const fieldsOf = (fields: Readonly<Record<string, string>>) =>
  Buffer.concat([...Object.entries(fields).map(([type, value]) => cstring(`${type}${value}`)), Buffer.of(0)])

const bouncer = (message: string) => fieldsOf({ S: "FATAL", C: "08P01", M: message })
const pgpool = (message: string, file: string, detail: string) =>
  fieldsOf({ S: "ERROR", C: "XX000", M: message, D: detail, F: file, L: "1251" })

const recognized: ReadonlyArray<readonly [what: string, body: Buffer, tag: string]> = [
  ["PgBouncer, of a wrong md5 password", bouncer("password authentication failed"), "InvalidPasswordError"],
  ["PgBouncer, of a wrong SCRAM password", bouncer("SASL authentication failed"), "InvalidPasswordError"],
  ["PgBouncer, of a user", bouncer("no such user: eve"), "InvalidAuthorizationSpecificationError"],
  ["PgBouncer, of any user", bouncer("no such user"), "InvalidAuthorizationSpecificationError"],
  ["PgBouncer, by its pg_hba.conf", bouncer("login rejected"), "InvalidAuthorizationSpecificationError"],
  ["PgBouncer, of a connection without TLS", bouncer("SSL required"), "InvalidAuthorizationSpecificationError"],
  ["PgBouncer, of a database", bouncer("no such database: nowhere"), "InvalidCatalogNameError"],
  ["PgBouncer, when it is full", bouncer("no more connections allowed (max_client_conn)"), "TooManyConnectionsError"],
  [
    "Pgpool-II, of a wrong SCRAM password",
    pgpool("authentication failed", "pool_auth.c", 'username "scram_user" or password does not exist in backend'),
    "InvalidPasswordError"
  ],
  [
    "Pgpool-II, of a wrong md5 password",
    pgpool("md5 authentication failed", "pool_auth.c", "password does not match"),
    "InvalidPasswordError"
  ],
  [
    "Pgpool-II, of a wrong password in clear",
    pgpool("clear text authentication failed", "pool_auth.c", "password does not match"),
    "InvalidPasswordError"
  ],
  [
    "Pgpool-II, of a role that PostgreSQL does not have",
    pgpool("failed to authenticate with backend using SCRAM", "pool_auth.c", "valid password not found"),
    "InvalidPasswordError"
  ],
  [
    "Pgpool-II, of a role that its file does not have",
    pgpool("SCRAM authentication failed", "pool_hba.c", 'pool_passwd file does not contain an entry for "nobody"'),
    "InvalidPasswordError"
  ],
  [
    "Pgpool-II, by its pool_hba.conf",
    pgpool("client authentication failed", "pool_hba.c", "no pool_hba.conf entry for host"),
    "InvalidAuthorizationSpecificationError"
  ]
]

describe("a refusal of a pooler", () => {
  for (const [what, body, tag] of recognized) {
    it.live(`has the tag that PostgreSQL's has, and a hint: ${what}`, () =>
      Effect.gen(function* () {
        const { connecting, peer } = yield* greeted(yield* scriptedServer, { sslMode: "disable" })
        peer.end(frame(Backend.ErrorResponse, body))
        const error = yield* Effect.flip(Fiber.join(connecting))
        assert.strictEqual(error._tag, tag)
        assert.match("hint" in error ? (error.hint ?? "") : "", /^(PgBouncer|Pgpool-II) has said this, with the code/)
      }).pipe(Effect.scoped)
    )
  }

  for (const [what, body] of [
    ["of PostgreSQL itself", fieldsOf({ S: "FATAL", C: "08P01", M: "password authentication failed", R: "auth" })],
    ["of another code", fieldsOf({ S: "FATAL", C: "08006", M: "password authentication failed" })],
    ["in other words", bouncer("password authentication failed for nothing")],
    ["of a parameter", bouncer("unsupported startup parameter: lock_timeout")],
    ["of Pgpool-II about something else", pgpool("unable to read data", "pool_auth.c", "EOF")],
    ["from another file", pgpool("authentication failed", "auth.c", "no")]
  ] as const) {
    it(`stays as it is if it is one ${what}`, () => {
      const fields = readErrorFields(body, 0, body.length)
      assert.deepStrictEqual(refusalOfPooler(fields), fields)
    })
  }
})
