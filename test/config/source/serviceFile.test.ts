import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as path from "node:path"
import { parseService, readService } from "../../../src/config/source/serviceFile.ts"
import { homeWith, refusal } from "../home.ts"

const parse = (text: string) =>
  Effect.map(parseService(text, "app", "service"), (settings) => settings && Object.fromEntries(settings))

const table: ReadonlyArray<readonly [text: string, settings: Readonly<Record<string, string>> | undefined]> = [
  ["[app]\nhost=db\ndbname=app", { host: "db", dbname: "app" }],
  ["# [app]\n\n[other]\nhost=no\n[app]\r\n  host=db \r\n# port=1\n[more]\nhost=no", { host: "db" }],
  ["[app]\nhost=first\n[app]\nhost=second", { host: "first" }],
  ["[app]\nhost=first\nhost=second", { host: "first" }],
  ["[app] and more]\nhost=db\noptions= -c x", { host: "db", options: " -c x" }],
  ["[app]\noptions=-c search_path=x", { options: "-c search_path=x" }],
  ["[app]", {}],
  ["[application]\nhost=no", undefined],
  ["not=looked\ninto at all\n[other]\n???", undefined],
  ["", undefined]
]

const refused: ReadonlyArray<readonly [text: string, reason: RegExp]> = [
  ["[app]\nhost", /^service: names a service that, in line 2 of its file, has no key=value$/],
  [
    "[app]\n\nhots=db",
    /in line 3 of its file, has an unknown key \(did you mean host\?\); the known keys are: host, hostaddr, port/
  ],
  ["[app]\nservice=other", /in line 2 of its file, names another service$/],
  ["[app]\nhost =db", /in line 2 of its file, has blanks before its =$/],
  ["[app]\nrequirepeer=postgres", /has requirepeer, which this client does not support; leave it out, and protect/],
  ["[app]\nschema=app", /has schema, a key of other clients; set settings: \{ search_path: "..." \}$/]
]

const read = (environment: Readonly<Record<string, string>>) =>
  Effect.map(readService({ name: "PGSERVICE", isText: true, value: "app" }, environment), (settings) =>
    settings.get("host")
  )

describe("a service file", () => {
  it.effect.each(table)("%j has the settings %j", ([text, settings]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* parse(text), settings)
    })
  )

  it.effect.each(refused)("%j is refused", ([text, reason]) =>
    Effect.gen(function* () {
      assert.match(yield* refusal(parse(text)), reason)
    })
  )

  it.effect("is the one that PGSERVICEFILE names, or else the user's, and after it the system's", () =>
    Effect.gen(function* () {
      const home = yield* homeWith({
        ".pg_service.conf": "[app]\nhost=user",
        named: "[app]\nhost=named",
        empty: "",
        "etc/pg_service.conf": "[app]\nhost=system"
      })
      const PGSYSCONFDIR = path.join(home, "etc")
      const inHome = (name: string) => path.join(home, name)
      assert.strictEqual(yield* read({ HOME: home, PGSYSCONFDIR }), "user")
      assert.strictEqual(yield* read({ HOME: home, PGSYSCONFDIR, PGSERVICEFILE: inHome("named") }), "named")
      assert.strictEqual(yield* read({ HOME: home, PGSYSCONFDIR, PGSERVICEFILE: inHome("empty") }), "system")
      assert.strictEqual(yield* read({ HOME: inHome("etc"), PGSYSCONFDIR }), "system")
    })
  )

  it.effect("must define the service, and must exist if it is named", () =>
    Effect.gen(function* () {
      const HOME = yield* homeWith({ ".pg_service.conf": "[other]" })
      assert.match(yield* refusal(read({ HOME })), /^PGSERVICE: names a service that no service file defines/)
      assert.strictEqual(
        yield* refusal(read({ HOME, PGSERVICEFILE: path.join(HOME, "gone") })),
        "PGSERVICEFILE: cannot be read: ENOENT"
      )
    })
  )
})
