/** Tests connection texts in which a typing error makes the password part of something else. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as path from "node:path"
import { inspect } from "node:util"
import { resembled } from "../../src/config/source/likeness.ts"
import * as PgConfig from "../../src/PgConfig.ts"
import { homeWith } from "./home.ts"

const SECRET = "S3CRETword"
/** Stands for the secret while the text around it is changed. */
const PLACE = "\u{e000}"

/** Random numbers from 0 up to but not including 1, repeatable by their seed (mulberry32). */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

/**
 * Makes one to four typing errors: something left out, doubled, inserted, swapped or moved; never within the secret.
 */
const slipped = (text: string, random: () => number): string => {
  const below = (count: number) => Math.floor(random() * count)
  let characters = [...text]
  for (let left = 1 + below(4); left > 0; left--) {
    const at = below(characters.length)
    const length = 1 + below(random() < 0.7 ? 1 : 8)
    const part = characters.slice(at, at + length)
    switch (below(5)) {
      case 0:
        if (!part.includes(PLACE)) characters.splice(at, length)
        break
      case 1:
        characters.splice(at, 0, ...part)
        break
      case 2:
        characters.splice(at, 0, [..."&=?/:@,;#%[] \n\t\\'\"+"][below(20)]!)
        break
      case 3:
        characters.splice(at, part.length, ...part.toReversed())
        break
      default:
        characters = [...characters.slice(0, at), ...characters.slice(at + length)]
        characters.splice(below(characters.length), 0, ...part)
    }
  }
  return characters.join("").replaceAll(PLACE, SECRET)
}

const urls = [
  `postgres://bob:${PLACE}@db.example.com:5432/app?sslmode=require&application_name=web`,
  `postgres://bob:${PLACE}@a:1,b:2/app`,
  `postgres:///app?host=db&port=5432&user=bob&password=${PLACE}&connect_timeout=10`,
  `postgres://db/app?user=bob&password=${PLACE}`,
  `postgresql://bob:${PLACE}@[::1]:5432/app?options=-c%20search_path%3Dx&sslrootcert=system&service=app`,
  `host=db.example.com port=5432 user=bob password=${PLACE} dbname=app sslmode=require`,
  `host=a,b hostaddr=10.0.0.1,10.0.0.2 user='bob' password='${PLACE}' sslcert=x sslpassword=${PLACE} options='-c a=b'`
]

const services = [
  `[app]\nhost=db\nport=5432\nuser=bob\npassword=${PLACE}\ndbname=app\nsslmode=require\n`,
  `[other]\nhost=no\n[app]\nhost=a,b\nport=1,2\npassword=${PLACE}\nuser=bob\nconnect_timeout=10\nrequire_auth=md5\n`
]

/** Everything that a failure shows of itself. */
const told = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return ""
  const errors = exit.cause.reasons.map((reason) => (reason._tag === "Fail" ? reason.error : reason))
  return [exit, exit.cause, ...errors]
    .map((each) => {
      const { message = "", stack = "" } = each instanceof Error ? each : {}
      return [message, stack, String(each), JSON.stringify(each), inspect(each, { depth: Infinity, showHidden: true })]
    })
    .flat()
    .join("\n")
}

/** Everything that a configuration shows, without the setting into which the text itself has put the secret. */
const shown = (config: PgConfig.ResolvedConfig): string => {
  const { database: _d, hosts: _h, startupParameters: _s, user: _u, ...rest } = config
  return `${inspect(rest, { depth: Infinity, showHidden: true })}${JSON.stringify(rest)}`
}

const assertSilent = (settings: PgConfig.Settings, environment: Readonly<Record<string, string>>, text: string) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(PgConfig.resolve(settings, environment))
    if (Exit.isFailure(exit)) assert.isTrue(Exit.hasFails(exit), text)
    const visible = Exit.isSuccess(exit) ? shown(exit.value) : told(exit)
    if (visible.includes(SECRET)) assert.fail(`${JSON.stringify(text)} shows its secret: ${visible.slice(0, 400)}`)
    return Exit.isFailure(exit)
  })

const URL_RUNS = 1_000
const SERVICE_RUNS = 300

describe("a typing error", () => {
  it.effect("in a URL does not show the password", () =>
    Effect.gen(function* () {
      const random = randomFrom(49)
      const HOME = yield* homeWith({ ".pg_service.conf": "[app]\nhost=db" })
      let refused = 0
      for (let run = 0; run < URL_RUNS; run++) {
        const url = slipped(urls[run % urls.length]!, random)
        if (yield* assertSilent({ url: Redacted.make(url) }, { HOME }, url)) refused++
        if (yield* assertSilent({ url }, { HOME }, url)) refused++
      }
      assert.isAbove(refused, URL_RUNS / 4)
    })
  )

  it.effect("in a service file does not show the password", () =>
    Effect.gen(function* () {
      const random = randomFrom(50)
      let refused = 0
      for (let run = 0; run < SERVICE_RUNS; run++) {
        const text = slipped(services[run % services.length]!, random)

        const isRefused = yield* Effect.scoped(
          Effect.gen(function* () {
            const directory = yield* homeWith({ named: text })
            const PGSERVICEFILE = path.join(directory, "named")
            return yield* assertSilent({ service: "app" }, { HOME: directory, PGSERVICEFILE }, text)
          })
        )
        if (isRefused) refused++
      }
      assert.isAbove(refused, SERVICE_RUNS / 5)
    })
  )

  const certain: ReadonlyArray<readonly [url: string, reason: RegExp]> = [
    [`postgres://db/app?user=bob&password${SECRET}`, /must have only key=value pairs/],
    [`postgres://db/app?user=bob&password${SECRET}=`, /in position 2 after its \? has an unknown key;/],
    [`postgres://db/app?${SECRET}=password`, /in position 1 after its \? has an unknown key;/],
    [`postgres://db/app?user=bob&pass%20word${SECRET}=1`, /in position 2/]
  ]
  it.effect.each(certain)("is reported by its place: %s", ([url, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(PgConfig.resolve({ url }, {}))
      assert.match(error.message, reason)
      assert.notInclude(told(Exit.fail(error)), SECRET)
    })
  )
})

describe("a list of hosts", () => {
  const COUNT = 20_000
  const lists: ReadonlyArray<readonly [what: string, url: string]> = [
    ["hosts that are left out", `postgres://${",".repeat(COUNT)}/app`],
    ["hosts with ports", `postgres://${Array.from({ length: COUNT }, (_, at) => `h${at}:1`).join(",")}/app`],
    ["users", `postgres://db/app?${"user=bob&".repeat(COUNT)}`],
    ["colons", `postgres://bob:${":".repeat(COUNT)}@db/app`]
  ]
  for (const [what, url] of lists) {
    it.effect(`is read in linear time, with ${what} by the thousand`, () =>
      Effect.gen(function* () {
        const since = performance.now()
        yield* Effect.exit(PgConfig.resolve({ url }, {}))
        // It takes some hundred milliseconds at most; a disk access for each would take a hundred times as long.
        assert.isBelow(performance.now() - since, 4_000)
      })
    )
  }
})

describe("an unknown word", () => {
  const known = ["host", "port", "password", "sslmode", "connect_timeout"]
  const likenesses: ReadonlyArray<readonly [word: string, meant: string | undefined]> = [
    ["hots", "host"],
    ["hsot", "host"],
    ["Host", "host"],
    ["sslMode", "sslmode"],
    ["pasword", "password"],
    ["passwort", "password"],
    ["connectTimeout", "connect_timeout"],
    ["conect_timeot", "connect_timeout"],
    ["pool_size", undefined],
    ["most_ly", undefined],
    ["", undefined],
    [`password${SECRET}`, undefined],
    ["x".repeat(1_000_000), undefined]
  ]
  for (const [word, meant] of likenesses) {
    it(`${word.slice(0, 20)} resembles ${meant ?? "no known word"}`, () => {
      assert.strictEqual(resembled(word, known), meant)
    })
  }
})
