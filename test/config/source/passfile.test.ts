import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as path from "node:path"
import type { HostAddress } from "../../../src/config/hosts.ts"
import { findPassword, type Login, passwordFromFile } from "../../../src/config/source/passfile.ts"
import { homeWith } from "../home.ts"

const tcp = (host: string, port = 5432): HostAddress => ({ _tag: "Tcp", host, port })
const login: Login = { host: tcp("db"), database: "app", user: "bob" }
const local: Login = { ...login, host: { _tag: "Unix", path: "/run/pg/.s.PGSQL.5432", port: 5432 } }

/** The expected results were seen in psql. */
const table: ReadonlyArray<readonly [text: string, password: string | undefined]> = [
  ["db:5432:app:bob:secret", "secret"],
  ["db:5432:app:bob:secret\r\n", "secret"],
  ["db:5432:app:bob:secret\r", "secret"],
  ["*:*:*:*:secret", "secret"],
  ["# db:5432:app:bob:no\n\ndb:5432:app:bob:secret\n", "secret"],
  ["#*:*:*:*:secret", undefined],
  ["other:*:*:*:1\ndb:5433:*:*:2\ndb:*:other:*:3\ndb:*:*:alice:4\n*:*:*:*:5", "5"],
  ["*:*:*:*:first\ndb:5432:app:bob:second", "first"],
  ["*:*:*:*:\n*:*:*:*:second", undefined],
  [" *:*:*:*:secret", undefined],
  ["*:*:*:*: spaces are kept ", " spaces are kept "],
  ["*:*:*:*:pa:ss", "pa"],
  [String.raw`*:*:*:*:pa\:s\\s\x`, String.raw`pa:s\sx`],
  [String.raw`*:*:*:*:ends in one` + "\\", String.raw`ends in one` + "\\"],
  [String.raw`*:*:\*:*:secret`, undefined],
  ["db:5432:app:bob", undefined],
  ["db:5432:app:bob\n*:*:*:*:second", "second"],
  ["secret", undefined],
  ["", undefined]
]

/** Escapes text as a user must write it into a file. */
const escaped = (text: string): string => text.replace(/[\\:]/g, "\\$&")

const read = (file: string | undefined) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ message }) => void warnings.push(String(message)))
  return passwordFromFile(file, login).pipe(
    Effect.map((password) => ({ password: password === undefined ? undefined : Redacted.value(password), warnings })),
    Effect.provide(Logger.layer([logger]))
  )
}

describe("a password file", () => {
  it.each(table)("%j gives %j", (text, password) => assert.strictEqual(findPassword(text, login), password))

  it("names a unix socket by its directory, and as localhost only if a server puts it there by default", () => {
    const common: Login = { ...login, host: { _tag: "Unix", path: "/run/postgresql/.s.PGSQL.5432", port: 5432 } }
    assert.strictEqual(findPassword("/run/pg:5432:app:bob:secret", local), "secret")
    assert.strictEqual(findPassword("localhost:5432:app:bob:secret", local), undefined)
    assert.strictEqual(findPassword("/run:5432:app:bob:secret", local), undefined)
    assert.strictEqual(findPassword("localhost:5432:app:bob:secret", common), "secret")
    assert.strictEqual(findPassword("/run/postgresql:5432:app:bob:secret", common), "secret")
    assert.strictEqual(findPassword("localhost:5432:app:bob:secret", login), undefined)
  })

  const text = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Literals([..."ab:\\*# "])), { minLength: 1, maxLength: 8 }),
    (characters) => characters.join("")
  )

  it.prop(
    "gives back everything that was escaped into it, and only to its own login",
    { host: text, database: text, user: text, password: text, other: text },
    ({ database, host, other, password, user }) => {
      const line = [host, "5432", database, user, password].map(escaped).join(":")
      const login = { host: tcp(host), database, user }
      const isComment = line.startsWith("#")
      assert.strictEqual(findPassword(`\n${line}\n`, login), isComment ? undefined : password)
      if (other !== user && user !== "*") assert.isUndefined(findPassword(line, { ...login, user: other }))
    },
    { arbitrary: { runs: 500 } }
  )

  it.effect("is read anew each time", () =>
    Effect.gen(function* () {
      const file = path.join(yield* homeWith({ pgpass: "*:*:*:*:old" }), "pgpass")
      const password = read(file)
      assert.deepStrictEqual(yield* password, { password: "old", warnings: [] })
      fs.writeFileSync(file, "*:*:*:*:new")
      assert.deepStrictEqual(yield* password, { password: "new", warnings: [] })
      fs.rmSync(file)
      assert.deepStrictEqual(yield* password, { password: undefined, warnings: [] })
    })
  )

  it.effect("is ignored with a warning if its group or others have access to it", () =>
    Effect.gen(function* () {
      const file = path.join(yield* homeWith({ pgpass: "*:*:*:*:secret" }), "pgpass")
      for (const mode of [0o640, 0o604, 0o620, 0o601]) {
        fs.chmodSync(file, mode)
        const { password, warnings } = yield* read(file)
        assert.isUndefined(password)
        assert.deepStrictEqual(warnings, [
          "the client ignores the password file, because its group or others can access it; run chmod 0600 on it"
        ])
      }
      fs.chmodSync(file, 0o600)
      assert.strictEqual((yield* read(file)).password, "secret")
    })
  )

  it.effect("is ignored with a warning if it is a directory", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read(yield* homeWith()), {
        password: undefined,
        warnings: ["the client ignores the password file, because it is not a plain file"]
      })
    })
  )
})
