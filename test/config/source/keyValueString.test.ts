/** Tests libpq's other form of a connection string. The results of the table were seen in libpq. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { parseKeyValueString } from "../../../src/config/source/keyValueString.ts"
import * as PgConfig from "../../../src/PgConfig.ts"
import { passwordOf, refusal } from "../home.ts"

const table: ReadonlyArray<readonly [text: string, pairs: Readonly<Record<string, string>>]> = [
  ["host=db dbname=app", { host: "db", dbname: "app" }],
  ["  host = db\n\tport= 5433 ", { host: "db", port: "5433" }],
  ["password='it\\'s a \\\\ secret' user=bob", { password: "it's a \\ secret", user: "bob" }],
  ["user='a'password='b'", { user: "a", password: "b" }],
  ["user=a\\ b password=\\'c\\\\", { user: "a b", password: "'c\\" }],
  ["password=a'b'c", { password: "a'b'c" }],
  ["user=bob\\", { user: "bob" }],
  ["password='' user=", { password: "", user: "" }],
  ["host= port=1", { host: "port=1" }],
  ["options=-c\\ search_path=x", { options: "-c search_path=x" }],
  ["user=a user=b", { user: "b" }],
  ["requiressl=1", { sslmode: "require" }],
  ["requiressl=0", { sslmode: "prefer" }],
  ["sslmode=verify-full requiressl=0", { sslmode: "verify-full" }],
  ["requiressl=0 sslmode=verify-full", { sslmode: "verify-full" }]
]

const refused: ReadonlyArray<readonly [text: string, reason: RegExp]> = [
  ["host=db dbname", /^url: in position 2 has no key=value$/],
  ["host db=1", /^url: in position 1 has no key=value$/],
  ["host=db =1", /^url: in position 2 has an unknown key;/],
  ["password='hunter2", /^url: in position 1 has a value whose quote does not end$/],
  ["password='hunter2\\'", /quote does not end$/],
  ["user=bob hots=db", /^url: in position 2 has an unknown key \(did you mean host\?\);/],
  ["user=bob pgbouncer=true", /^url: in position 2 has pgbouncer, a key of other clients; set statementMode/],
  ["hostt=db", /did you mean host/]
]

const quoted = (value: string): string => `'${value.replaceAll(/[\\']/g, "\\$&")}'`

describe("a connection string of key=value pairs", () => {
  it.effect.each(table)("%j is parsed", ([text, pairs]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(Object.fromEntries(yield* parseKeyValueString(text)), pairs)
    })
  )

  it.effect.each(refused)("%j is refused", ([text, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(parseKeyValueString(text)), reason)
      assert.match(yield* refusal(PgConfig.resolve({ url: text }, {})), /^url: (in position|must begin)/)
    })
  )

  it.effect("is given in the place of a URL", () =>
    Effect.gen(function* () {
      const config = yield* PgConfig.resolve(
        { url: "host=a,b port=1,2 user=bob password='p w' dbname=app application_name='my app'", database: "mine" },
        { PGUSER: "alice" }
      )
      assert.deepStrictEqual(config.hosts, [
        { _tag: "Tcp", host: "a", port: 1 },
        { _tag: "Tcp", host: "b", port: 2 }
      ])
      assert.deepStrictEqual([config.user, config.database], ["bob", "mine"])
      assert.strictEqual(config.startupParameters.get("application_name"), "my app")
      assert.strictEqual(yield* passwordOf(config), "p w")
      assert.match(
        yield* refusal(PgConfig.resolve({ url: "host=a port=x" }, {})),
        /^port of the connection string: must be an integer/
      )
    })
  )

  const text = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Literals([...`aZ0 =\\'"\t\né😀`])), { minLength: 1, maxLength: 8 }),
    (characters) => characters.join("")
  )

  it.effect.prop(
    "gives back everything that was quoted into it",
    { user: text, password: text },
    ({ password, user }) =>
      Effect.gen(function* () {
        const pairs = yield* parseKeyValueString(`user = ${quoted(user)}password=${quoted(password)}`)
        assert.deepStrictEqual(Object.fromEntries(pairs), { user, password })
      }),
    { arbitrary: { runs: 300 } }
  )

  const noise = Arbitrary.array(Arbitrary.schema(Schema.Literals([...`='\\ &:/?@`])), { maxLength: 4 })

  it.effect.prop(
    "shows its password in no error, whatever stands around it",
    [noise, noise],
    ([before, after]) =>
      Effect.gen(function* () {
        const string = `user=bob password=${before.join("")}hunter2${after.join("")} port=5432`
        const outcome = yield* Effect.result(PgConfig.resolve({ url: string }, {}))
        if (Result.isFailure(outcome)) assert.notInclude(String(outcome.failure), "hunter2")
      }),
    { arbitrary: { runs: 500 } }
  )
})
