/** Tests passwords of every kind of text by SCRAM, against a server that has prepared them with its own tables. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import { TestDatabase } from "../../../support/database.ts"
import { liveConnection, valueOf } from "../../../support/live.ts"

/** Code points of every kind that SASLprep distinguishes, and their neighbors. */
const KINDS = [
  ..."aZ0 ~\u00e9\u00a0\u00ad\u00aa\u2168\u1680\u200b\u200c\u200d\u3000\ufe0f\ufeff",
  ..."\u0301\u0344\u0221\u1e9e\u20bf\u0390\ufb01\u2126\u212b\uac00\u1100\uff21\u2028\u202e\ufffd\ue000",
  ..."\u05d0\u05b4\u0627\ufe8d\ufb1d\u0661\u061b\ufdfa",
  ..."\u{1f600}\u{1f468}\u{1f525}\u2764\u{1d400}\u{2f868}\u{20000}\u{e0061}"
]

const COUNT = 60

/** Passwords that are equal each time: a linear congruence is random enough to mix kinds. */
const mixed: ReadonlyArray<string> = (() => {
  let state = 15
  const below = (count: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 0x1_0000_0000) * count)
  }
  return Array.from({ length: COUNT }, () =>
    Array.from({ length: 1 + below(4) }, () => KINDS[below(KINDS.length)]!).join("")
  )
})()

const chosen: ReadonlyArray<readonly [what: string, password: string]> = [
  ["an emoji", "\u{1f600}"],
  ["an accent of its own before an emoji", "e\u0301\u{1f600}"],
  ["a family of emoji", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}"],
  ["an emoji with a variation selector", "\u2764\ufe0f\u{1f525}"],
  ["letters of both directions", "abc\u05d0\ufb01"],
  ["a number before what is written from right to left", "1\u05d0\u0627\ufe8d"],
  ["a letter that becomes one with a mark", "\ufb1d"],
  ["a letter that is newer than Unicode 3.2", "stra\u1e9e\u00aa"],
  ["ligatures and a soft hyphen", "\ufb01\u00adx"],
  ["nothing but what vanishes", "\u00ad\u200c"]
]

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

layer(TestDatabase.layer, { excludeTestServices: true })("a password by SCRAM", (it) => {
  const role = `scram_${randomBytes(6).toString("hex")}`
  const withRole = <A, E, R>(use: (set: (password: string) => Effect.Effect<void>) => Effect.Effect<A, E, R>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const admin = yield* liveConnection()
        yield* admin.execute(`CREATE ROLE ${role} LOGIN`)
        yield* Effect.addFinalizer(() => Effect.orDie(admin.execute(`DROP ROLE ${role}`)))
        return yield* use((password) =>
          Effect.orDie(
            Effect.asVoid(
              admin.executeScript(
                `SET password_encryption = 'scram-sha-256'; ALTER ROLE ${role} PASSWORD ${quoted(password)}`
              )
            )
          )
        )
      })
    )
  const letIn = (password: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* liveConnection({
          user: role,
          password: Redacted.make(password),
          requireAuth: ["scram-sha-256"]
        })
        return yield* valueOf(connection, "SELECT current_user")
      })
    )

  for (const [what, password] of chosen) {
    it.effect(`lets its user in if it holds ${what}, and another password does not`, () =>
      withRole((set) =>
        Effect.gen(function* () {
          yield* set(password)
          assert.strictEqual(yield* letIn(password), role)
          assert.strictEqual((yield* Effect.flip(letIn(`${password}x`)))._tag, "InvalidPasswordError")
        })
      )
    )
  }

  it.effect("lets its user in, whatever characters it has", () =>
    withRole((set) =>
      Effect.gen(function* () {
        for (const password of mixed) {
          yield* set(password)
          const user = yield* Effect.mapError(letIn(password), (error) => `${escape(password)}: ${error.message}`)
          assert.strictEqual(user, role)
        }
      })
    )
  )
})

const escape = (password: string): string =>
  [...password].map((character) => `U+${character.codePointAt(0)!.toString(16)}`).join(" ")
