import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { pbkdf2Sync } from "node:crypto"
import {
  clientFinal,
  clientFirst,
  isServerProof,
  keysOf,
  readServerFirst
} from "../../../../src/session/opening/authentication/scram.ts"
import { ProtocolViolation } from "../../../../src/wire/failure.ts"

const UNBOUND = { flag: "n" } as const

/** The example of RFC 7677 section 3. PostgreSQL sends no user name here, unlike the example. */
const rfc = {
  password: "pencil",
  first: { nonce: "rOprNGfwEbeRWgbNEkqO", binding: UNBOUND, message: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" },
  challenge: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  final: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  proof: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
}

const MAX_ITERATIONS = 100_000

const rfcFinal = () => {
  const challenge = readServerFirst(rfc.challenge, rfc.first, MAX_ITERATIONS)
  const salted = pbkdf2Sync(rfc.password, challenge.salt, challenge.iterations, 32, "sha256")
  return clientFinal(rfc.first, challenge, keysOf(salted))
}

describe("SCRAM-SHA-256", () => {
  it("reproduces the example of RFC 7677", () => {
    const final = rfcFinal()
    assert.strictEqual(final.message, rfc.final)
    assert.isTrue(isServerProof(rfc.proof, final))
  })

  it("leaves the user name to the startup packet and asks for no channel binding", () => {
    const first = clientFirst("abc", UNBOUND)
    assert.deepStrictEqual(first, { nonce: "abc", binding: UNBOUND, message: "n,,n=,r=abc" })
  })

  it("accepts nothing but the right proof", () => {
    const final = rfcFinal()
    const proof = rfc.proof.slice(2)
    const wrong = Buffer.from(proof, "base64")
    wrong[31]! ^= 1
    for (const message of [
      "",
      "v=",
      proof,
      `v=${wrong.toString("base64")}`,
      `v=${proof.slice(0, 40)}`,
      `v=${proof},x=1`,
      ` v=${proof}`,
      `e=invalid-proof`,
      `v=${Buffer.from(proof, "base64").toString("hex")}`
    ]) {
      assert.isFalse(isServerProof(message, final), message)
    }
  })
})

const refused = (challenge: string, maxIterations = MAX_ITERATIONS): string => {
  try {
    readServerFirst(challenge, clientFirst("abc", UNBOUND), maxIterations)
  } catch (thrown) {
    assert.instanceOf(thrown, ProtocolViolation)
    return thrown.message
  }
  return assert.fail(`${challenge} was taken`)
}

describe("a SCRAM challenge", () => {
  it("is read", () => {
    assert.deepStrictEqual(readServerFirst("r=abcdef,s=AQID,i=4096", clientFirst("abc", UNBOUND), MAX_ITERATIONS), {
      message: "r=abcdef,s=AQID,i=4096",
      nonce: "abcdef",
      salt: Buffer.of(1, 2, 3),
      iterations: 4096
    })
  })

  it("is refused if the nonce does not begin with ours, or adds nothing", () => {
    for (const nonce of ["abc", "ab", "xabc", "ABCdef", "abd"]) {
      assert.include(refused(`r=${nonce},s=AQID,i=4096`), "does not continue the client's nonce", nonce)
    }
  })

  it("is refused if it asks for too many iterations", () => {
    assert.include(refused("r=abcdef,s=AQID,i=100001"), "at most 100000")
    assert.include(refused("r=abcdef,s=AQID,i=4097", 4096), "at most 4096")
    assert.include(refused("r=abcdef,s=AQID,i=9999999999"), "at most 100000")
    assert.strictEqual(
      readServerFirst("r=abcd,s=AQID,i=100000", clientFirst("abc", UNBOUND), 100_000).iterations,
      100_000
    )
  })

  it("is refused if it is not exactly a nonce, a salt and a number of iterations", () => {
    for (const challenge of [
      "",
      "r=abcdef",
      "r=abcdef,s=AQID",
      "r=abcdef,s=AQID,i=0",
      "r=abcdef,s=AQID,i=-1",
      "r=abcdef,s=AQID,i=04096",
      "r=abcdef,s=AQID,i=4096.5",
      "r=abcdef,s=AQID,i=1e3",
      "r=abcdef,s=AQID,i=99999999999",
      "r=abcdef,s=AQID,i=4096,x=more",
      "r=abcdef,s=AQID,i=4096,i=1",
      "r=abcdef,s=,i=4096",
      "r=abcdef,s=****,i=4096",
      "m=mandatory,r=abcdef,s=AQID,i=4096",
      "s=AQID,r=abcdef,i=4096",
      "r=abc def,s=AQID,i=4096",
      "r=abc\u00e9,s=AQID,i=4096",
      "r=abcdef,s=AQID,i=4096\n"
    ]) {
      assert.include(refused(challenge), "does not have the form r=,s=,i=", challenge)
    }
    assert.include(refused(`r=abc${"d".repeat(5_000)},s=AQID,i=4096`), "too long")
  })
})
