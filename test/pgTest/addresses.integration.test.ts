/** Tests that the address of a test's database leads there, however the address of the server is written. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import * as PgConnection from "../../src/PgConnection.ts"
import * as PgTest from "../../src/PgTest.ts"
import { assertHealthy, valueOf } from "../support/live.ts"

const { database, host, password, port, user } = inject("postgres")
const secret = encodeURIComponent(password)

const written: ReadonlyArray<readonly [what: string, url: string]> = [
  ["as a URL", `postgres://${user}:${secret}@${host}:${port}/${database}?sslmode=disable`],
  ["as a URL without a database", `postgres://${user}:${secret}@${host}:${port}?sslmode=disable`],
  [
    "as a URL whose database is a parameter",
    `postgres://${user}:${secret}@${host}:${port}/?sslmode=disable&dbname=${database}&application_name=mine`
  ],
  [
    "as a URL of nothing but parameters",
    `postgres://?dbname=${database}&user=${user}&password=${secret}&host=${host}&port=${port}&sslmode=disable`
  ],
  [
    "as a URL of two servers",
    `postgres://${user}:${secret}@${host}:${port},${host}:${port}/${database}?sslmode=disable`
  ],
  [
    "as a URL with another name of that parameter",
    `postgres://${user}:${secret}@${host}:${port}/nothing?database=${database}&sslmode=disable`
  ],
  [
    "as a string of keys",
    `host=${host} port=${port} user=${user} password='${password.replaceAll("'", "\\'")}' dbname=${database} sslmode=disable`
  ]
]

describe("the database of a test", () => {
  it.live.each(written)("is where its address leads, if that of the server is written %s", ([, url]) =>
    Effect.gen(function* () {
      const made = yield* PgTest.make({ server: { url } })
      for (const settings of [made.settings, { url: made.url }]) {
        const connection = yield* PgConnection.make(settings)
        assert.strictEqual(yield* valueOf(connection, "SELECT current_database()"), made.name)
        yield* assertHealthy(connection)
      }
    }).pipe(Effect.scoped)
  )
})
