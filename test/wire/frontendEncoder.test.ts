import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { Format } from "../../src/wire/backendMessage.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import { Unencodable, WrongParameterCount } from "../../src/wire/failure.ts"
import {
  bindNames,
  type BoundStatement,
  encodeResultFormats,
  type ParameterEncoder,
  writeBindExecuteSync,
  writeCloseStatements,
  writeDescribeStatement,
  writeParse,
  writeQuery,
  writeSync
} from "../../src/wire/frontendEncoder.ts"
import { MAX_COUNT, MAX_MESSAGE_BYTES } from "../../src/wire/limits.ts"
import { hex } from "./frames.ts"

/** An int4 parameter that takes strings in the text format. */
const int4: ParameterEncoder = {
  formatOf: (value) => (typeof value === "string" ? Format.text : Format.binary),
  write: (writer, value, format) => {
    if (format === Format.text) writer.utf8(String(value))
    else if (typeof value === "number") writer.int32(value)
    else throw new Unencodable("an int4 is a number")
  }
}

/** Pretends to write as many bytes as its value says, without the memory. */
const huge: ParameterEncoder = {
  formatOf: () => Format.binary,
  write: (writer, value) => writer.rewind(writer.length + Number(value))
}

const statement = (
  count: number,
  resultFormats: ReadonlyArray<Format> = [Format.binary],
  parameter: ParameterEncoder = int4
): BoundStatement => ({
  bindNames: bindNames("s1"),
  parameters: Array.from({ length: count }, () => parameter),
  resultFormats: encodeResultFormats(resultFormats)
})

const bound = (values: ReadonlyArray<unknown>, resultFormats?: ReadonlyArray<Format>, maxRows = 0): Buffer => {
  const writer = new ByteWriter()
  writeBindExecuteSync(writer, statement(values.length, resultFormats), values, maxRows)
  return writer.take()
}

const query = (sql: string): Buffer => {
  const writer = new ByteWriter()
  writeQuery(writer, sql)
  return writer.take()
}

const EXECUTE_AND_SYNC = "45 00000009 00 00000000 53 00000004"

/** Runs a call that must fail with `Unencodable`, and returns the error. */
const refusal = (run: () => void): Unencodable => {
  try {
    run()
  } catch (failure) {
    assert.instanceOf(failure, Unencodable)
    return failure
  }
  return assert.fail("was not refused")
}

/** An array with a hole at its end, as `[1, ,]` makes one. */
const HOLED = Object.assign(Array<unknown>(2), [1])

describe("writeBindExecuteSync", () => {
  it("binds no parameters", () => {
    assert.deepStrictEqual(bound([]), hex(`42 00000010 00 733100 0000 0000 0001 0001 ${EXECUTE_AND_SYNC}`))
  })

  it("binds one parameter", () => {
    assert.deepStrictEqual(
      bound([42]),
      hex(`42 0000001a 00 733100 0001 0001 0001 00000004 0000002a 0001 0001 ${EXECUTE_AND_SYNC}`)
    )
  })

  it("binds parameters that are all in binary with one format code", () => {
    assert.deepStrictEqual(
      bound([1, -1, 2]),
      hex(`42 0000002a 00 733100 0001 0001
           0003 00000004 00000001 00000004 ffffffff 00000004 00000002 0001 0001 ${EXECUTE_AND_SYNC}`)
    )
  })

  it("binds parameters that are all in text with one format code", () => {
    assert.deepStrictEqual(
      bound(["7", "é"]),
      hex(`42 0000001d 00 733100 0001 0000 0002 00000001 37 00000002 c3a9 0001 0001 ${EXECUTE_AND_SYNC}`)
    )
  })

  it("binds parameters in both formats with a code for each", () => {
    assert.deepStrictEqual(
      bound([1, "7", null]),
      hex(
        `42 00000027 00 733100 0003 0001 0000 0001
           0003 00000004 00000001 00000001 37 ffffffff 0001 0001 ${EXECUTE_AND_SYNC}`
      )
    )
  })

  it("binds null as NULL, which does not prevent one format code for the others", () => {
    assert.deepStrictEqual(
      bound([null, "7", null]),
      hex(`42 0000001f 00 733100 0001 0000 0003 ffffffff 00000001 37 ffffffff 0001 0001 ${EXECUTE_AND_SYNC}`)
    )
    assert.deepStrictEqual(
      bound([null, null]),
      hex(`42 0000001a 00 733100 0001 0001 0002 ffffffff ffffffff 0001 0001 ${EXECUTE_AND_SYNC}`)
    )
  })

  it("refuses undefined and a hole, and says which parameter it is", () => {
    for (const values of [[null, undefined], ["7", undefined, 1], HOLED]) {
      const failure = refusal(() => bound(values))
      assert.instanceOf(failure, Unencodable)
      assert.strictEqual(failure.parameter, 2)
      assert.strictEqual(failure.message, "it is undefined; use null for NULL")
    }
  })

  it("binds an empty text as a value of no bytes", () => {
    assert.deepStrictEqual(
      bound([""]),
      hex(`42 00000016 00 733100 0001 0000 0001 00000000 0001 0001 ${EXECUTE_AND_SYNC}`)
    )
  })

  it("asks for the result formats of the statement", () => {
    assert.deepStrictEqual(
      bound([], [Format.binary, Format.text]),
      hex(`42 00000012 00 733100 0000 0000 0002 0001 0000 ${EXECUTE_AND_SYNC}`)
    )
  })

  it("asks for the given number of rows", () => {
    const bind = "42 00000010 00 733100 0000 0000 0001 0001"
    assert.deepStrictEqual(bound([], undefined, 300), hex(`${bind} 45 00000009 00 0000012c 53 00000004`))
    assert.deepStrictEqual(bound([], undefined, 0x7fffffff), hex(`${bind} 45 00000009 00 7fffffff 53 00000004`))
  })

  for (const maxRows of [-1, 1.5, NaN, 0x80000000, Infinity]) {
    it(`refuses to ask for ${maxRows} rows`, () => {
      assert.include(refusal(() => bound([], undefined, maxRows)).message, `not ${maxRows}`)
    })
  }

  it("binds 65,535 parameters, in one format or in both", () => {
    const one = bound(Array.from({ length: MAX_COUNT }, (_, index) => index))
    assert.strictEqual(one.readUInt32BE(1), 4 + 1 + 3 + 2 + 2 + 2 + MAX_COUNT * 8 + 4)
    assert.deepStrictEqual(one.subarray(5, 15), hex("00 733100 0001 0001 ffff"))
    assert.deepStrictEqual(one.subarray(15 + 65_534 * 8, 15 + MAX_COUNT * 8), hex("00000004 0000fffe"))

    const both = bound(Array.from({ length: MAX_COUNT }, (_, index) => (index === 65_534 ? "7" : index)))
    assert.deepStrictEqual(both.subarray(5, 13), hex("00 733100 ffff 0001"))
    const codes = 11 + MAX_COUNT * 2
    assert.deepStrictEqual(both.subarray(codes - 4, codes + 10), hex("0001 0000 ffff 00000004 00000000"))
  })

  it("refuses 65,536 parameters, whose count would be 0 on the wire", () => {
    const failure = refusal(() => bound(Array.from({ length: MAX_COUNT + 1 }, () => 1)))
    assert.include(failure.message, "65536 parameters")
    assert.isUndefined(failure.parameter)
  })

  it("refuses more or fewer values than the statement has parameters", () => {
    for (const values of [[], [1], [1, 2, 3]]) {
      const run = () => writeBindExecuteSync(new ByteWriter(), statement(2), values, 0)
      assert.throws(run, WrongParameterCount, `${values.length} values for 2 parameters`)
    }
  })

  for (const [where, values, parameter] of [
    ["the first", [true, 2, 3], 1],
    ["one in the middle", [1, "a\0b", null], 2],
    ["the last", [null, 2, "\ud800"], 3]
  ] as const) {
    it(`names ${where} of the parameters if it is to blame, and leaves a writer that can be rewound`, () => {
      const writer = new ByteWriter()
      writeSync(writer)
      const mark = writer.length
      assert.strictEqual(refusal(() => writeBindExecuteSync(writer, statement(3), values, 0)).parameter, parameter)
      writer.rewind(mark)
      writeBindExecuteSync(writer, statement(0), [], 0)
      assert.deepStrictEqual(
        writer.take(),
        hex(`53 00000004 42 00000010 00 733100 0000 0000 0001 0001 ${EXECUTE_AND_SYNC}`)
      )
    })
  }

  it("passes on an error of an encoder that is not about its value", () => {
    const broken: ParameterEncoder = {
      ...int4,
      write: () => {
        throw new TypeError("broken")
      }
    }
    assert.throws(() => writeBindExecuteSync(new ByteWriter(), statement(1, [], broken), [1], 0), TypeError, "broken")
  })

  it("refuses a parameter that is larger than any message, and names it", () => {
    const values = [1, MAX_MESSAGE_BYTES + 1]
    const failure = refusal(() => writeBindExecuteSync(new ByteWriter(), statement(2, [], huge), values, 0))
    assert.strictEqual(failure.parameter, 2)
    assert.include(failure.message, `${MAX_MESSAGE_BYTES + 1} bytes, but PostgreSQL accepts at most`)
  })

  it("refuses parameters that are too large together, though each of them alone would fit", () => {
    const half = Math.ceil(MAX_MESSAGE_BYTES / 2)
    const failure = refusal(() => writeBindExecuteSync(new ByteWriter(), statement(2, [], huge), [half, half], 0))
    assert.include(failure.message, "at most 1073741823")
    assert.isUndefined(failure.parameter)
  })
})

describe("encodeResultFormats", () => {
  for (const [formats, expected] of [
    [[], "0000"],
    [[0], "0000"],
    [[0, 0, 0], "0000"],
    [[1], "0001 0001"],
    [[1, 1, 1], "0001 0001"],
    [[0, 1], "0002 0000 0001"],
    [[1, 1, 0], "0003 0001 0001 0000"]
  ] as const) {
    it(`encodes [${formats.join(", ")}] as ${expected}`, () => {
      assert.deepStrictEqual(Buffer.from(encodeResultFormats(formats)), hex(expected))
    })
  }

  it("encodes 65,535 formats and refuses 65,536", () => {
    const formats = Array.from({ length: MAX_COUNT }, (_, index) => (index === 0 ? Format.text : Format.binary))
    const encoded = Buffer.from(encodeResultFormats(formats))
    assert.strictEqual(encoded.length, 2 + 2 * MAX_COUNT)
    assert.deepStrictEqual(encoded.subarray(0, 6), hex("ffff 0000 0001"))
    assert.include(refusal(() => encodeResultFormats([...formats, Format.binary])).message, "65536 columns")
  })
})

describe("a simple query", () => {
  it("carries its text", () => {
    assert.deepStrictEqual(query("SELECT 1"), hex("51 0000000d 53454c454354203100"))
    assert.deepStrictEqual(query("-- größe"), hex("51 0000000f 2d2d206772c3b6c39f6500"))
  })

  it("is refused with a NUL or a lone surrogate, and the text is not repeated", () => {
    for (const sql of ["\0", "secret\0more", "é\0"]) assert.match(refusal(() => query(sql)).message, /NUL(?!.*secret)/)
    for (const sql of ["\ud800", "secret\udc00"]) {
      assert.match(refusal(() => query(sql)).message, /surrogate(?!.*secret)/)
    }
  })
})

describe("the rare requests", () => {
  it("are appended one after the other", () => {
    const writer = new ByteWriter()
    writeCloseStatements(writer, ["old"])
    writeParse(writer, "s1", "SELECT $1", [23])
    writeDescribeStatement(writer, "s1")
    writeSync(writer)
    assert.deepStrictEqual(
      writer.take(),
      hex(`43 00000009 53 6f6c6400
           50 00000017 733100 53454c45435420243100 0001 00000017
           44 00000008 53 733100
           53 00000004`)
    )
  })

  it("leave nothing behind if they are refused", () => {
    const writer = new ByteWriter()
    assert.include(refusal(() => writeParse(writer, "s1", "SELECT 1\0", [])).message, "NUL")
    assert.strictEqual(writer.length, 0)
  })
})
