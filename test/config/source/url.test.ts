import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { inspect } from "node:util"
import { type ConnectionUrl, parseUrl } from "../../../src/config/source/url.ts"
import { refusal } from "../home.ts"

interface Parts {
  readonly user?: string
  readonly password?: string
  readonly hosts?: ReadonlyArray<string>
  readonly ports?: ReadonlyArray<string>
  readonly database?: string
  readonly query?: Readonly<Record<string, string>>
}

/** A URL with the password readable, and without its empty parts. */
const shown = ({ database, hosts, password, ports, query, user }: ConnectionUrl): Parts => ({
  ...(user === "" ? {} : { user }),
  ...(password === undefined ? {} : { password: Redacted.value(password) }),
  ...(hosts.length === 0 ? {} : { hosts, ports }),
  ...(database === "" ? {} : { database }),
  ...(query.size === 0 ? {} : { query: Object.fromEntries(query) })
})

const table: ReadonlyArray<readonly [url: string, parts: Parts]> = [
  ["postgres://", {}],
  ["postgresql:///app", { database: "app" }],
  ["postgres://db", { hosts: ["db"], ports: [""] }],
  ["postgres://db:5433/app", { hosts: ["db"], ports: ["5433"], database: "app" }],
  ["postgres://u@/app", { user: "u", database: "app" }],
  ["postgres://u:p@db", { user: "u", password: "p", hosts: ["db"], ports: [""] }],
  ["postgres://u:@db", { user: "u", hosts: ["db"], ports: [""] }],
  ["postgres://:p@db", { password: "p", hosts: ["db"], ports: [""] }],
  ["postgres://u:a:b@db", { user: "u", password: "a:b", hosts: ["db"], ports: [""] }],
  ["postgres://u%40x:p%40%2F%3F%3A%25+@db", { user: "u@x", password: "p@/?:%+", hosts: ["db"], ports: [""] }],
  ["postgres://u:p#q@db/a#b", { user: "u", password: "p#q", hosts: ["db"], ports: [""], database: "a#b" }],
  ["postgres://a,b:5433,:5434/app", { hosts: ["a", "b", ""], ports: ["", "5433", "5434"], database: "app" }],
  [
    "postgres://[::1]:5433,[fe80::1%25eth0],c:1/app",
    {
      hosts: ["::1", "fe80::1%eth0", "c"],
      ports: ["5433", "", "1"],
      database: "app"
    }
  ],
  ["postgres://%2Frun%2Fpostgresql:5433/app", { hosts: ["/run/postgresql"], ports: ["5433"], database: "app" }],
  ["postgres://%2Fcloudsql%2Fp:r:i/app", { hosts: ["/cloudsql/p"], ports: ["r:i"], database: "app" }],
  ["postgres://h%40st1,h%40st2:543%33/d%62", { hosts: ["h@st1", "h@st2"], ports: ["", "5433"], database: "db" }],
  ["postgres://a%2Cb%3A1:%35,c/", { hosts: ["a,b:1", "c"], ports: ["5", ""] }],
  ["postgres://[%3A%3a1]:%35433", { hosts: ["::1"], ports: ["5433"] }],
  ["postgres://db/a%2Fb%3Fc/", { hosts: ["db"], ports: [""], database: "a/b?c/" }],
  ["postgres://db?dbname=app", { hosts: ["db"], ports: [""], query: { dbname: "app" } }],
  ["postgres:///?host=/run&port=5433&&", { query: { host: "/run", port: "5433" } }],
  [
    "postgres:///app?application_name=a+b%26c&application_name=d",
    { database: "app", query: { application_name: "d" } }
  ],
  ["postgres:///?options=-c search_path=x,y", { query: { options: "-c search_path=x,y" } }],
  ["postgres:///?ssl=true", { query: { sslmode: "require" } }],
  ["postgres:///?hostaddr=", { query: { hostaddr: "" } }],
  ["postgres:///?sslmode=verify-full&ssl=true", { query: { sslmode: "verify-full" } }],
  ["postgres:///?ssl=true&sslmode=verify-full", { query: { sslmode: "verify-full" } }],
  [
    "postgres:///?channel_binding=prefer&target_session_attrs=any&keepalives=1",
    {
      query: { channel_binding: "prefer", target_session_attrs: "any", keepalives: "1" }
    }
  ],
  [" postgres://db/app\n", { hosts: ["db"], ports: [""], database: "app" }]
]

const refused: ReadonlyArray<readonly [url: string, reason: RegExp]> = [
  ["mysql://db/app", /^url: must begin with postgres:\/\/ or postgresql:\/\/, or have key=value pairs/],
  ["db.example.com", /must begin with/],
  ["", /must begin with/],
  ["postgres://u:p@ss@db/app", /has an @ .* @ as %40/],
  ["postgres://u:5432/x@db/app", /has an @ .* \/ as %2F/],
  ["postgres://u:5432?x@db/app", /has an @ .* \? as %3F/],
  ["postgres://u:50%@db/app", /has a % in the password/],
  ["postgres://u%zz@db/app", /has a % in the user/],
  ["postgres://db/%ff", /has a % in the database/],
  ["postgres://[::1/app", /IPv6/],
  ["postgres://[::1]5432/app", /IPv6/],
  ["postgres://[]/app", /IPv6/],
  ["postgres:///?app", /must have only key=value pairs/],
  [
    "postgres:///?answer=42",
    /in position 1 after its \? has an unknown key; the known keys are: host, hostaddr, port, target_session_attrs/
  ],
  ["postgres:///?SSLMODE=require", /has an unknown key \(did you mean sslmode\?\);/],
  ["postgres:///?sslMode=require", /\(did you mean sslmode\?\);/],
  ["postgres:///?user=bob&pasword=x", /in position 2 after its \? has an unknown key \(did you mean password\?\);/],
  ["postgres:///?conect_timeout=1", /\(did you mean connect_timeout\?\);/],
  ["postgres:///?hots=db", /\(did you mean host\?\);/],
  ["postgres:///?keepalive=1", /\(did you mean keepalives\?\);/],
  ["postgres:///?ssl=1", /has ssl, a key of other clients; set sslMode, which is sslmode in a URL, to require or/],
  ["postgres://db:54%zz/app", /has a % in a port/],
  ["postgres:///?gssencmode=require", /gssencmode, which this client does not support; set it to disable, and/],
  ["postgres:///?oauth_issuer=x", /oauth_issuer, which this client does not support; get a token .* set oauthToken$/]
]

describe("a connection URL", () => {
  it.effect.each(table)("%s is parsed", ([url, parts]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(shown(yield* parseUrl(url)), parts)
    })
  )

  it.effect.each(refused)("%s is refused", ([url, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(parseUrl(url)), reason)
    })
  )

  const text = Arbitrary.map(
    Arbitrary.array(Arbitrary.schema(Schema.Literals([...'aZ0@/:?#[]%,&=+ \\"é😀'])), { minLength: 1, maxLength: 8 }),
    (characters) => characters.join("")
  )

  it.effect.prop(
    "gives back everything that was percent-encoded into it",
    { user: text, password: text, host: text, database: text, applicationName: text },
    ({ applicationName, database, host, password, user }) =>
      Effect.gen(function* () {
        const [u, p, h, d, a] = [user, password, host, database, applicationName].map(encodeURIComponent)
        const url = yield* parseUrl(`postgres://${u}:${p}@${h}:1/${d}?application_name=${a}`)
        assert.deepStrictEqual(shown(url), {
          user,
          password,
          hosts: [host],
          ports: ["1"],
          database,
          query: { application_name: applicationName }
        })
      })
  )

  const noise = Arbitrary.array(Arbitrary.schema(Schema.Literals([..."@/:?#[]%,&=5 "])), { maxLength: 4 })

  it.effect.prop(
    "never shows its password, whatever is not encoded around it",
    [noise, noise],
    ([before, after]) =>
      Effect.gen(function* () {
        const outcome = yield* Effect.result(
          parseUrl(`postgres://bob:${before.join("")}hunter2${after.join("")}@db/app?sslmode=require`)
        )
        const visible = Result.isSuccess(outcome) ? outcome.success : outcome.failure
        assert.notInclude(
          `${inspect(visible, { depth: Infinity, showHidden: true })}${JSON.stringify(visible)}`,
          "hunter2"
        )
      }),
    { arbitrary: { runs: 1000 } }
  )
})
