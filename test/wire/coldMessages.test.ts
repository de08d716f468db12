import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { serialize } from "pg-protocol"
import { Parser } from "pg-protocol/dist/parser.js"
import type { AuthenticationRequest } from "../../src/wire/backendMessage.ts"
import * as cold from "../../src/wire/coldMessages.ts"
import { ProtocolViolation, Unencodable } from "../../src/wire/failure.ts"
import { MAX_COUNT } from "../../src/wire/limits.ts"
import { cstring, frame, golden, hex, int16, int32 } from "./frames.ts"

/** Decodes a body between other bytes, which must not be read. */
const decode = <A>(decoder: (bytes: Buffer, start: number, end: number) => A, body: Buffer): A =>
  decoder(Buffer.concat([hex("00ff"), body, hex("41 00 42 00")]), 2, 2 + body.length)

const bodyOf = (message: Buffer): Buffer => message.subarray(5)

/** What pg-protocol alone makes of the bytes. */
const parsed = (bytes: Buffer): ReadonlyArray<{ readonly name: string }> => {
  const messages: Array<{ readonly name: string }> = []
  new Parser().parse(bytes, (message) => messages.push(message))
  return messages
}

const startup = (...parameters: ReadonlyArray<readonly [string, string]>): Buffer =>
  cold.encodeStartup(new Map(parameters))

describe("requests", () => {
  for (const [name, actual, expected] of [
    [
      "StartupMessage",
      startup(["user", "app"], ["database", "größe"], ["options", ""]),
      "00000041 00030000 7573657200 61707000 646174616261736500 6772c3b6c39f6500 6f7074696f6e7300 00 " +
        "636c69656e745f656e636f64696e6700 5554463800 00"
    ],
    ["SSLRequest", cold.encodeSslRequest(), "00000008 04d2162f"],
    [
      "CancelRequest",
      cold.encodeCancelRequest({ processId: 1337, secret: hex("fffffffe") }),
      "00000010 04d2162e 00000539 fffffffe"
    ],
    [
      "CancelRequest of protocol 3.2",
      cold.encodeCancelRequest({ processId: 1337, secret: hex("0102030405") }),
      "00000011 04d2162e 00000539 0102030405"
    ],
    ["StartupMessage of protocol 3.2", cold.encodeStartup(new Map(), 0x30002).subarray(0, 8), "0000001e 00030002"],
    ["PasswordMessage", cold.encodePassword("pä"), "70 00000008 70c3a400"],
    [
      "SASLInitialResponse",
      cold.encodeSaslInitialResponse("SCRAM-SHA-256", "n,,"),
      "70 00000019 534352414d2d5348412d32353600 00000003 6e2c2c"
    ],
    ["SASLResponse", cold.encodeSaslResponse("c=biws"), "70 0000000a 633d62697773"],
    ["Parse", cold.encodeParse("s", "x", [23, 4_294_967_295]), "50 00000012 7300 7800 0002 00000017 ffffffff"],
    ["Parse of the unnamed statement", cold.encodeParse("", "x", []), "50 00000009 00 7800 0000"],
    ["Describe", cold.encodeDescribeStatement("s1"), "44 00000008 53 733100"],
    ["Describe of the unnamed statement", cold.encodeDescribeStatement(""), "44 00000006 53 00"],
    ["Close", cold.encodeCloseStatement("s1"), "43 00000008 53 733100"],
    ["Close of a portal", cold.encodeClosePortal("p1"), "43 00000008 50 703100"],
    ["CopyDone", cold.encodeCopyDone(), "63 00000004"],
    ["CopyFail", cold.encodeCopyFail("no"), "66 00000007 6e6f00"],
    ["Terminate", cold.encodeTerminate(), "58 00000004"]
  ] as const) {
    it(`encodes ${name}`, () => {
      assert.strictEqual(Buffer.from(actual).toString("hex"), hex(expected).toString("hex"))
    })
  }

  const texts: ReadonlyArray<readonly [string, (text: string) => Buffer]> = [
    ["the name of a startup parameter", (text) => startup(["user", "app"], [text, "x"])],
    ["the value of a startup parameter", (text) => startup(["user", text])],
    ["the password", cold.encodePassword],
    ["the SASL mechanism", (text) => cold.encodeSaslInitialResponse(text, "n,,")],
    ["the first SASL response", (text) => cold.encodeSaslInitialResponse("SCRAM-SHA-256", text)],
    ["the SASL response", cold.encodeSaslResponse],
    ["the name of a statement that is prepared", (text) => cold.encodeParse(text, "x", [])],
    ["the text of a statement that is prepared", (text) => cold.encodeParse("s", text, [])],
    ["the name of a statement that is described", cold.encodeDescribeStatement],
    ["the name of a statement that is closed", cold.encodeCloseStatement],
    ["the name of a portal that is closed", cold.encodeClosePortal],
    ["the reason of CopyFail", cold.encodeCopyFail]
  ]
  for (const [what, encode] of texts) {
    it(`refuse a NUL in ${what}, without repeating it`, () => {
      for (const text of ["\0", "secret\0user\0postgres", "é\0"]) {
        assert.throws(() => encode(text), Unencodable, /NUL(?!.*secret)/)
      }
    })

    it(`refuse a lone surrogate in ${what}, without repeating it`, () => {
      for (const text of ["\ud800", "secret\udc00"]) {
        assert.throws(() => encode(text), Unencodable, /surrogate(?!.*secret)/)
      }
    })
  }
})

describe("a trap of pg-protocol's serializer", () => {
  it("is avoided: a NUL in a startup value would add a parameter, and is refused", () => {
    assert.isTrue(serialize.startup({ application_name: "x\0user\0postgres" }).includes("\0user\0postgres\0"))
    assert.throws(() => startup(["application_name", "x\0user\0postgres"]), Unencodable, "NUL")
  })

  it("is avoided: an empty startup name would end the list, and is refused, but an empty value is not", () => {
    assert.throws(() => startup(["", "x"]), Unencodable, "an empty name")
    assert.isTrue(startup(["options", ""]).includes("options\0\0"))
  })

  it("is avoided: client_encoding would be sent twice, and is refused in any case of letters", () => {
    assert.throws(() => startup(["client_encoding", "UTF8"]), Unencodable, "always UTF8")
    assert.throws(() => startup(["Client_Encoding", "LATIN1"]), Unencodable, "always UTF8")
    assert.strictEqual(startup(["user", "app"]).toString("latin1").split("client_encoding").length, 2)
  })

  it("is avoided: a parameter named __proto__ would be lost in an object literal, and is sent", () => {
    assert.isTrue(startup(["__proto__", "x"]).includes("__proto__\0x\0"))
  })

  it("is avoided: the server would hang up on a long startup packet, which is refused", () => {
    const rest = startup(["user", ""]).length
    assert.strictEqual(startup(["user", "x".repeat(10_004 - rest)]).length, 10_004)
    assert.throws(() => startup(["user", "x".repeat(10_005 - rest)]), Unencodable, "10000 bytes")
  })

  it("is avoided: a name of more than 63 bytes would be cut with a warning, and is refused", () => {
    for (const name of ["n".repeat(64), "é".repeat(32)]) {
      assert.throws(() => cold.encodeParse(name, "x", []), Unencodable, "63 bytes")
      assert.throws(() => cold.encodeDescribeStatement(name), Unencodable, "63 bytes")
      assert.throws(() => cold.encodeCloseStatement(name), Unencodable, "63 bytes")
      assert.throws(() => cold.encodeClosePortal(name), Unencodable, "63 bytes")
    }
    assert.isTrue(cold.encodeParse("n".repeat(63), "x", []).includes("n".repeat(63)))
  })

  it("is avoided: a count of parameter types beyond 65,535 would wrap, and is refused", () => {
    const oids = Array.from({ length: MAX_COUNT + 1 }, () => 23)
    assert.strictEqual(serialize.parse({ text: "x", types: oids }).readUInt16BE(8), 0)
    assert.throws(() => cold.encodeParse("", "x", oids), Unencodable, "65536 parameter types")
    assert.strictEqual(cold.encodeParse("", "x", oids.slice(1)).readUInt16BE(8), MAX_COUNT)
  })

  it("is avoided: a failed call would leave its beginning before the next message, and is dropped", () => {
    const notText: string = JSON.parse("5")
    const poison = (): void => {
      assert.throws(() => serialize.parse({ name: "poison", text: notText }), TypeError)
    }
    poison()
    assert.strictEqual(serialize.query("x").toString("latin1"), "Q\0\0\0\rpoison\0x\0")
    for (const encode of [
      () => cold.encodeParse("s", "x", [23]),
      () => cold.encodePassword("x"),
      () => cold.encodeSaslInitialResponse("SCRAM-SHA-256", "n,,"),
      () => cold.encodeSaslResponse("x"),
      () => cold.encodeDescribeStatement("s"),
      () => cold.encodeCloseStatement("s"),
      () => cold.encodeClosePortal("p"),
      () => cold.encodeCopyFail("x"),
      () => startup(["user", "app"])
    ]) {
      const expected = Buffer.from(encode())
      poison()
      assert.deepStrictEqual(Buffer.from(encode()), expected)
      serialize.query("")
    }
  })
})

describe("decodeAuthentication", () => {
  const requests: ReadonlyArray<readonly [string, string, AuthenticationRequest]> = [
    ["AuthenticationOk", "00000000", { _tag: "Ok" }],
    ["AuthenticationCleartextPassword", "00000003", { _tag: "CleartextPassword" }],
    ["AuthenticationMD5Password", "00000005 deadbeef", { _tag: "MD5Password", salt: hex("deadbeef") }],
    ["AuthenticationMD5Password with zeros", "00000005 00000000", { _tag: "MD5Password", salt: hex("00000000") }],
    [
      "AuthenticationSASL",
      "0000000a 534352414d2d5348412d3235362d504c555300 534352414d2d5348412d32353600 00",
      { _tag: "SASL", mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"] }
    ],
    ["AuthenticationSASL without mechanisms", "0000000a 00", { _tag: "SASL", mechanisms: [] }],
    ["AuthenticationSASLContinue", "0000000b 723d61", { _tag: "SASLContinue", data: "r=a" }],
    ["AuthenticationSASLFinal", "0000000c 763d62", { _tag: "SASLFinal", data: "v=b" }],
    ["AuthenticationKerberosV5", "00000002", { _tag: "Unsupported", name: "Kerberos V5" }],
    ["AuthenticationSCMCredential", "00000006", { _tag: "Unsupported", name: "SCM credentials" }],
    ["AuthenticationGSS", "00000007", { _tag: "Unsupported", name: "GSSAPI" }],
    ["AuthenticationGSSContinue", "00000008 00", { _tag: "Unsupported", name: "GSSAPI" }],
    ["AuthenticationSSPI", "00000009", { _tag: "Unsupported", name: "SSPI" }],
    ["an unknown method", "0000002a 0102", { _tag: "Unsupported", name: "authentication method 42" }],
    ["a negative method", "ffffffff", { _tag: "Unsupported", name: "authentication method -1" }]
  ]
  for (const [name, body, expected] of requests) {
    it(`reads ${name}`, () => {
      assert.deepStrictEqual(decode(cold.decodeAuthentication, hex(body)), expected)
    })
  }

  it("gives a salt that outlives the receive buffer", () => {
    const body = hex("00000005 deadbeef")
    const request = cold.decodeAuthentication(body, 0, body.length)
    body.fill(0)
    assert.deepStrictEqual(request, { _tag: "MD5Password", salt: hex("deadbeef") })
  })

  for (const [name, body] of [
    ["without its request", ""],
    ["with half of its request", "0000"],
    ["Ok with more bytes", "00000000 00"],
    ["CleartextPassword with more bytes", "00000003 00000000"],
    ["MD5Password without a salt", "00000005"],
    ["MD5Password with a salt of 3 bytes", "00000005 dead00"],
    ["MD5Password with a salt of 5 bytes", "00000005 deadbeef00"],
    ["SASL without the end of its list", "0000000a 534352414d00"],
    ["SASL without a list", "0000000a"],
    ["SASL with bytes after its list", "0000000a 534352414d00 00 00"],
    ["SASL with a mechanism without its terminator", "0000000a 534352414d"]
  ] as const) {
    it(`refuses a request ${name}`, () => {
      assert.throws(() => decode(cold.decodeAuthentication, hex(body)), ProtocolViolation)
    })
  }

  it("never takes anything but a whole AuthenticationOk for AuthenticationOk, unlike pg-protocol", () => {
    for (const body of ["00000003 00", "00000005 dead", "00000005 deadbeef00", "00000000 0000"]) {
      assert.strictEqual(parsed(frame(0x52, hex(body)))[0]?.name, "authenticationOk")
      assert.throws(() => decode(cold.decodeAuthentication, hex(body)), ProtocolViolation)
    }
  })
})

describe("decodeBackendKeyData", () => {
  it("reads the key of protocol 3.0 as CancelRequest sends it back", () => {
    const key = decode(cold.decodeBackendKeyData, bodyOf(golden.BackendKeyData))
    assert.deepStrictEqual(key, { processId: 1337, secret: hex("80000001") })
    assert.deepStrictEqual(cold.encodeCancelRequest(key).subarray(8), bodyOf(golden.BackendKeyData))
  })

  it("reads a key of 4 to 256 bytes", () => {
    for (const length of [4, 5, 32, 255, 256]) {
      const secret = Buffer.alloc(length, 7)
      const key = decode(cold.decodeBackendKeyData, Buffer.concat([int32(1), secret]))
      assert.deepStrictEqual(key, { processId: 1, secret })
      assert.deepStrictEqual(cold.encodeCancelRequest(key).subarray(12), secret)
    }
  })

  it("keeps the key when the receive buffer is used again", () => {
    const body = Buffer.concat([int32(1), Buffer.alloc(32, 7)])
    const { secret } = cold.decodeBackendKeyData(body, 0, body.length)
    body.fill(0)
    assert.deepStrictEqual(secret, Buffer.alloc(32, 7))
  })

  it("refuses a key of any other length", () => {
    for (const length of [0, 4, 7, 4 + 257, 4 + 1000]) {
      assert.throws(() => decode(cold.decodeBackendKeyData, Buffer.alloc(length)), ProtocolViolation)
    }
  })
})

describe("decodeNegotiateProtocolVersion", () => {
  it("reads the version and the options that the server does not know", () => {
    assert.deepStrictEqual(decode(cold.decodeNegotiateProtocolVersion, hex("00030000 00000000")), {
      version: 0x30000,
      unknownOptions: []
    })
    assert.deepStrictEqual(
      decode(
        cold.decodeNegotiateProtocolVersion,
        Buffer.concat([hex("00030000 00000002"), cstring("_pq_.a"), cstring("b")])
      ),
      { version: 0x30000, unknownOptions: ["_pq_.a", "b"] }
    )
  })

  for (const [what, body] of [
    ["nothing in it", ""],
    ["a part of its version", "0003"],
    ["no number of options", "00030000"],
    ["a negative number of options", "00030000 ffffffff"],
    ["more options than there are", "00030000 00000001"],
    ["a huge number of options", "00030000 7fffffff 6100"],
    ["an option without an end", "00030000 00000001 61"],
    ["more behind its options", "00030000 00000001 6100 62"]
  ] as const) {
    it(`refuses a message with ${what}`, () => {
      assert.throws(() => decode(cold.decodeNegotiateProtocolVersion, hex(body)), ProtocolViolation)
    })
  }
})

describe("decodeParameterStatus", () => {
  it("reads the name and the value", () => {
    const status = decode(cold.decodeParameterStatus, bodyOf(golden.ParameterStatus))
    assert.deepStrictEqual(status, { name: "client_encoding", value: "UTF8" })
    assert.deepStrictEqual(decode(cold.decodeParameterStatus, hex("6100 00")), { name: "a", value: "" })
  })

  for (const [what, body] of [
    ["that is empty", ""],
    ["without a value", "6100"],
    ["with a value without its terminator", "6100 62"],
    ["with one string too many", "6100 6200 00"]
  ] as const) {
    it(`refuses a message ${what}, which pg-protocol would read`, () => {
      assert.strictEqual(parsed(frame(0x53, hex(body)))[0]?.name, "parameterStatus")
      assert.throws(() => decode(cold.decodeParameterStatus, hex(body)), ProtocolViolation)
    })
  }
})

describe("decodeNotification", () => {
  it("reads process, channel and payload", () => {
    const notification = decode(cold.decodeNotification, bodyOf(golden.NotificationResponse))
    assert.deepStrictEqual(notification, { processId: 42, channel: "chan", payload: "h" })
  })

  it("refuses a message with too few or too many bytes", () => {
    for (const body of ["", "0000002a", "0000002a 6100", "0000002a 6100 62", "0000002a 6100 6200 00"]) {
      assert.throws(() => decode(cold.decodeNotification, hex(body)), ProtocolViolation)
    }
  })
})

describe("decodeRowDescription", () => {
  it("reads a column of a table", () => {
    assert.deepStrictEqual(decode(cold.decodeRowDescription, bodyOf(golden.RowDescription)), [
      { name: "id", tableOid: 4_194_560, attributeNumber: 1, typeOid: 23, typeSize: 4, typeModifier: -1 }
    ])
  })

  it("reads OIDs as unsigned, and attribute number, size and modifier as signed", () => {
    assert.deepStrictEqual(
      decode(
        cold.decodeRowDescription,
        hex("0002 c3a900 ffffffff fff9 80000000 ffff 00000108 0000 00 00000000 0000 00000000 0000 00000000 0001")
      ),
      [
        { name: "é", tableOid: 0xffffffff, attributeNumber: -7, typeOid: 0x80000000, typeSize: -1, typeModifier: 264 },
        { name: "", tableOid: 0, attributeNumber: 0, typeOid: 0, typeSize: 0, typeModifier: 0 }
      ]
    )
  })

  it("reads no columns", () => {
    assert.deepStrictEqual(decode(cold.decodeRowDescription, hex("0000")), [])
  })

  const column = Buffer.concat([cstring("c"), Buffer.alloc(18)])

  it("reads the 1,664 columns that a result has at most", () => {
    const body = Buffer.concat([int16(1664), ...Array.from({ length: 1664 }, () => column)])
    assert.strictEqual(decode(cold.decodeRowDescription, body).length, 1664)
  })

  it("refuses a count that the bytes do not match", () => {
    for (const [count, columns] of [
      [1, 0],
      [2, 1],
      [0, 1],
      [1, 2],
      [0x8000, 1],
      [0xffff, 1]
    ] as const) {
      const body = Buffer.concat([int16(count), ...Array.from({ length: columns }, () => column)])
      assert.throws(() => decode(cold.decodeRowDescription, body), ProtocolViolation)
    }
  })

  it("refuses more columns than pg-protocol can count, and no server has", () => {
    const body = Buffer.concat([int16(0x8000), ...Array.from({ length: 0x8000 }, () => column)])
    assert.throws(() => decode(cold.decodeRowDescription, body), ProtocolViolation, "RowDescription")
  })

  it("refuses a name without its terminator, which pg-protocol would read", () => {
    assert.throws(
      () => decode(cold.decodeRowDescription, hex("0001 6162")),
      ProtocolViolation,
      "without a NUL at its end"
    )
  })
})

describe("decodeParameterDescription", () => {
  it("reads OIDs as unsigned", () => {
    const oids = decode(cold.decodeParameterDescription, bodyOf(golden.ParameterDescription))
    assert.deepStrictEqual(oids, [23, 0xffffffff])
    assert.deepStrictEqual(decode(cold.decodeParameterDescription, hex("0000")), [])
  })

  it("reads 40,000 and 65,535 parameters, which pg-protocol cannot", () => {
    for (const count of [40_000, MAX_COUNT]) {
      const body = Buffer.concat([int16(count), ...Array.from({ length: count }, (_, index) => int32(index))])
      assert.throws(() => parsed(frame(0x74, body)), RangeError)
      const oids = decode(cold.decodeParameterDescription, body)
      assert.strictEqual(oids.length, count)
      assert.strictEqual(oids[count - 1], count - 1)
    }
  })

  it("refuses a count that the bytes do not match", () => {
    for (const body of ["", "00", "0001", "0001 000000", "0001 00000017 00", "ffff 00000017"]) {
      assert.throws(() => decode(cold.decodeParameterDescription, hex(body)), ProtocolViolation)
    }
  })
})
