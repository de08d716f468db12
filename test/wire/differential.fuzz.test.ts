/**
 * Tests our wire code against pg-protocol: if both write or read a message, they must agree on every valid one; ours
 * must refuse every invalid one with its own error.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { DatabaseError, serialize } from "pg-protocol"
import {
  type BackendMessage,
  CommandCompleteMessage,
  DataRowMessage,
  NoticeMessage,
  ParameterDescriptionMessage,
  RowDescriptionMessage
} from "pg-protocol/dist/messages.js"
import { Parser } from "pg-protocol/dist/parser.js"
import { BackendDecoder } from "../../src/wire/backendDecoder.ts"
import { Backend, Format } from "../../src/wire/backendMessage.ts"
import { ByteReader } from "../../src/wire/byteReader.ts"
import { ByteWriter } from "../../src/wire/byteWriter.ts"
import * as cold from "../../src/wire/coldMessages.ts"
import { readCommandTag } from "../../src/wire/commandTag.ts"
import { type ErrorFields, readErrorFields } from "../../src/wire/errorFields.ts"
import { ProtocolViolation, Unencodable } from "../../src/wire/failure.ts"
import {
  bindNames,
  encodeResultFormats,
  type ParameterEncoder,
  writeBindExecuteSync,
  writeQuery
} from "../../src/wire/frontendEncoder.ts"
import { MAX_MESSAGE_BYTES } from "../../src/wire/limits.ts"
import { bytes, cstring, frame, golden, int, int16, int32, text } from "./frames.ts"

const runs = (count: number) => ({ arbitrary: { runs: count } })

/** What pg-protocol reads from these bytes. */
const parsed = (stream: Buffer): ReadonlyArray<BackendMessage> => {
  const messages: Array<BackendMessage> = []
  new Parser().parse(stream, (message) => messages.push(message))
  return messages
}

/** The one message that pg-protocol reads from a frame, of the class that it must have. */
const parsedAs = <A>(messageClass: abstract new (...args: never) => A, type: number, body: Buffer): A => {
  const [message] = parsed(frame(type, body))
  return message instanceof messageClass ? message : assert.fail(`read as ${message?.name}`)
}

const int4 = int(-0x80000000, 0x7fffffff)
const oid = int(0, 0xffffffff)
const smallint = int(-0x8000, 0x7fff)
const union = <A, B>(first: Arbitrary.Arbitrary<A>, second: Arbitrary.Arbitrary<B>): Arbitrary.Arbitrary<A | B> =>
  Arbitrary.flatMap(int(0, 1), (choice): Arbitrary.Arbitrary<A | B> => (choice === 0 ? first : second))

// ------------------------------------------------------------------------------------------------------- requests

interface Bind {
  readonly portal: string
  readonly statement: string
  readonly values: ReadonlyArray<{ readonly format: number; readonly bytes: string } | null>
}

const readFormats = (reader: ByteReader): ReadonlyArray<number> =>
  Array.from({ length: reader.uint16() }, () => reader.int16())

/**
 * Reads Bind as PostgreSQL does (exec_bind_message): without a code all values are text, and one code stands for all.
 */
const readBind = (message: Buffer): Bind => {
  const reader = new ByteReader(message, 5, message.length)
  const portal = reader.cstring()
  const statement = reader.cstring()
  const formats = readFormats(reader)
  const count = reader.uint16()
  assert.include([0, 1, count], formats.length)
  const values = Array.from({ length: count }, (_, index) => {
    const length = reader.int32()
    const format = formats.length > 1 ? formats[index]! : (formats[0] ?? 0)
    return length === -1 ? null : { format, bytes: reader.view(length).toString("hex") }
  })
  readFormats(reader)
  reader.expectEnd("Bind")
  return { portal, statement, values }
}

/** Text for strings, binary for bytes, as pg-protocol binds them. */
const textOrBytes: ParameterEncoder = {
  formatOf: (value) => (typeof value === "string" ? Format.text : Format.binary),
  write: (writer, value) => {
    if (typeof value === "string") writer.utf8(value)
    else if (Buffer.isBuffer(value)) writer.raw(value)
    else assert.fail("neither text nor bytes")
  }
}

const parameter = union(union(text, bytes(40)), Arbitrary.Constant(null))

describe("Bind, Execute, Sync", () => {
  it.prop(
    "mean the same to PostgreSQL as those of pg-protocol",
    [Arbitrary.array(parameter, { maxLength: 12 }), int(0, 0x7fffffff)],
    ([values, maxRows]) => {
      const writer = new ByteWriter()
      const statement = {
        bindNames: bindNames("s1"),
        parameters: values.map(() => textOrBytes),
        resultFormats: encodeResultFormats([Format.binary])
      }
      writeBindExecuteSync(writer, statement, values, maxRows)
      const ours = writer.take()
      const bindEnd = 1 + ours.readInt32BE(1)
      const theirs = serialize.bind({ statement: "s1", values, binary: true })
      assert.deepStrictEqual(readBind(ours.subarray(0, bindEnd)), readBind(theirs))
      assert.deepStrictEqual(
        ours.subarray(bindEnd),
        Buffer.concat([serialize.execute({ rows: maxRows }), serialize.sync()])
      )
      if (values.some((value) => typeof value === "string") && values.some(Buffer.isBuffer) && !values.includes(null)) {
        assert.deepStrictEqual(ours.subarray(0, bindEnd), theirs)
      }
    },
    runs(500)
  )
})

/** Any JavaScript string, including strings that are not valid text. */
const anyString = union(
  Arbitrary.schema(Schema.String),
  Arbitrary.array(int(0, 0xffff)).pipe(Arbitrary.map((codes) => String.fromCharCode(...codes)))
)

const harmless = (value: string): boolean => value.isWellFormed() && !value.includes("\0")

const encodeQuery = (sql: string): Buffer => {
  const writer = new ByteWriter()
  writeQuery(writer, sql)
  return writer.take()
}

describe("requests of any strings", () => {
  it.prop(
    "are refused with Unencodable or carry each string once, whole",
    [anyString, anyString],
    ([first, second]) => {
      for (const encode of [
        () => cold.encodeStartup(new Map([[first, second]])),
        () => cold.encodePassword(first),
        () => cold.encodeSaslInitialResponse(first, second),
        () => cold.encodeSaslResponse(first),
        () => encodeQuery(first),
        () => cold.encodeParse(first, second, []),
        () => cold.encodeDescribeStatement(first),
        () => cold.encodeCloseStatement(first),
        () => cold.encodeCopyFail(first)
      ]) {
        try {
          assert.isTrue(encode().includes(first))
        } catch (failure) {
          assert.instanceOf(failure, Unencodable)
          assert.isFalse(harmless(first) && harmless(second) && first !== "" && Buffer.byteLength(first) < 64)
        }
      }
    },
    runs(500)
  )
})

// ------------------------------------------------------------------------------------------------------ responses

const fieldTypes = [..."SVCMDHPpqWstcdnFLR"]

/** The fields of an error that both report; pg-protocol skips V. */
const comparable = (error: ErrorFields) => [
  error.message,
  error.detail,
  error.hint,
  error.position,
  error.internalPosition,
  error.internalQuery,
  error.where,
  error.schemaName,
  error.tableName,
  error.columnName,
  error.dataTypeName,
  error.constraintName,
  error.file,
  error.line,
  error.routine
]

const theirComparable = (error: DatabaseError | NoticeMessage) => [
  error.message,
  error.detail,
  error.hint,
  error.position,
  error.internalPosition,
  error.internalQuery,
  error.where,
  error.schema,
  error.table,
  error.column,
  error.dataType,
  error.constraint,
  error.file,
  error.line,
  error.routine
]

const errorBody = Arbitrary.array(Arbitrary.all([int(0, fieldTypes.length - 1), text])).pipe(
  Arbitrary.map((fields) =>
    Buffer.concat([
      cstring("MM"),
      ...fields.map(([type, value]) => cstring(`${fieldTypes[type]}${value}`)),
      Buffer.of(0)
    ])
  )
)

const column = Arbitrary.all({
  name: text,
  tableOid: oid,
  attributeNumber: smallint,
  typeOid: oid,
  typeSize: smallint,
  typeModifier: int4
})

describe("responses", () => {
  it.prop("ErrorResponse and NoticeResponse have the same fields", [errorBody], ([body]) => {
    const ours = readErrorFields(body, 0, body.length)
    const error = parsedAs(DatabaseError, Backend.ErrorResponse, body)
    assert.deepStrictEqual(comparable(ours), theirComparable(error))
    assert.strictEqual(ours.severity, error.severity ?? "ERROR")
    assert.strictEqual(ours.code, error.code ?? "XX000")
    assert.deepStrictEqual(comparable(ours), theirComparable(parsedAs(NoticeMessage, Backend.NoticeResponse, body)))
  })

  it.prop(
    "CommandComplete has the same text",
    [
      Arbitrary.schema(Schema.String.check(Schema.isPattern(/^[A-Z][A-Z ]{0,12}$/))),
      Arbitrary.array(int(0, 1e9), { maxLength: 2 })
    ],
    ([command, counts]) => {
      const body = cstring([command, ...counts].join(" "))
      const { text } = parsedAs(CommandCompleteMessage, Backend.CommandComplete, body)
      const ours = readCommandTag(body, 0, body.length)
      assert.strictEqual([ours.command, ...counts].join(" "), text)
      assert.strictEqual(ours.rowCount, Number(/ (\d+)$/.exec(text)?.[1] ?? 0))
    },
    runs(300)
  )

  it.prop(
    "ParameterStatus, NotificationResponse and BackendKeyData mean what was sent",
    [text, text, int4, int4],
    ([first, second, processId, secret]) => {
      const status = Buffer.concat([cstring(first), cstring(second)])
      assert.deepStrictEqual(cold.decodeParameterStatus(status, 0, status.length), { name: first, value: second })
      const notification = Buffer.concat([int32(processId), status])
      assert.deepStrictEqual(cold.decodeNotification(notification, 0, notification.length), {
        processId,
        channel: first,
        payload: second
      })
      const key = Buffer.concat([int32(processId), int32(secret)])
      assert.deepStrictEqual(cold.decodeBackendKeyData(key, 0, key.length), { processId, secret: int32(secret) })
      assert.deepStrictEqual(
        cold.encodeCancelRequest({ processId, secret: int32(secret) }),
        Buffer.from(serialize.cancel(processId, secret))
      )
    }
  )

  it.prop("RowDescription has the same columns", [Arbitrary.array(column, { maxLength: 20 })], ([columns]) => {
    const body = Buffer.concat([
      int16(columns.length),
      ...columns.flatMap((column) => [
        cstring(column.name),
        int32(column.tableOid),
        int16(column.attributeNumber),
        int32(column.typeOid),
        int16(column.typeSize),
        int32(column.typeModifier),
        int16(Format.binary)
      ])
    ])
    const ours = cold.decodeRowDescription(body, 0, body.length)
    assert.deepStrictEqual(ours, columns)
    const theirs = parsedAs(RowDescriptionMessage, Backend.RowDescription, body)
    assert.deepStrictEqual(
      ours.map((column) => column.name),
      theirs.fields.map((field) => field.name)
    )
  })

  it.prop("ParameterDescription has the same OIDs", [Arbitrary.array(oid, { maxLength: 300 })], ([oids]) => {
    const body = Buffer.concat([int16(oids.length), ...oids.map(int32)])
    const ours = cold.decodeParameterDescription(body, 0, body.length)
    assert.deepStrictEqual(ours, oids)
    assert.deepStrictEqual(ours, parsedAs(ParameterDescriptionMessage, Backend.ParameterDescription, body).dataTypeIDs)
  })

  it.prop(
    "DataRow in text has the same values",
    [Arbitrary.array(union(text, Arbitrary.Constant(null)))],
    ([values]) => {
      const body = Buffer.concat([
        int16(values.length),
        ...values.flatMap((value) =>
          value === null ? [int32(-1)] : [int32(Buffer.byteLength(value)), Buffer.from(value)]
        )
      ])
      const reader = new ByteReader(body, 0, body.length)
      const ours = Array.from({ length: reader.uint16() }, () => {
        const length = reader.int32()
        return length === -1 ? null : reader.view(length).toString()
      })
      reader.expectEnd("DataRow")
      assert.deepStrictEqual(ours, parsedAs(DataRowMessage, Backend.DataRow, body).fields)
      assert.deepStrictEqual(ours, values)
    }
  )
})

// -------------------------------------------------------------------------------------------------------- streams

const known = Object.values(golden)
/** pg-protocol has no name for these two. */
const common = known.filter(
  (bytes) => bytes[0] !== Backend.FunctionCallResponse && bytes[0] !== Backend.NegotiateProtocolVersion
)

describe("streams", () => {
  it.prop(
    "are cut into as many frames, of equal lengths, by both decoders, wherever the chunks end",
    [Arbitrary.array(int(0, common.length - 1), { minLength: 1, maxLength: 15 }), int(1, 20)],
    ([picks, chunkBytes]) => {
      const stream = Buffer.concat(picks.map((pick) => common[pick]!))
      const lengths: Array<number> = []
      const decoder = new BackendDecoder({ frame: (_type, _bytes, start, end) => lengths.push(end - start + 4) })
      const parser = new Parser()
      const theirs: Array<number> = []
      for (let at = 0; at < stream.length; at += chunkBytes) {
        decoder.push(stream.subarray(at, at + chunkBytes))
        parser.parse(stream.subarray(at, at + chunkBytes), (message) => theirs.push(message.length))
      }
      assert.deepStrictEqual(lengths, theirs)
      assert.deepStrictEqual(
        lengths,
        picks.map((pick) => common[pick]!.length - 1)
      )
    },
    runs(300)
  )
})

// ------------------------------------------------------------------------------------------------------ mutations

/** Reads each frame with the decoder of its type, as a session would. */
const readFrame = (type: number, bytes: Buffer, start: number, end: number): unknown => {
  switch (type) {
    case Backend.Authentication:
      return cold.decodeAuthentication(bytes, start, end)
    case Backend.BackendKeyData:
      return cold.decodeBackendKeyData(bytes, start, end)
    case Backend.CommandComplete:
      return readCommandTag(bytes, start, end)
    case Backend.ErrorResponse:
    case Backend.NoticeResponse:
      return readErrorFields(bytes, start, end)
    case Backend.NotificationResponse:
      return cold.decodeNotification(bytes, start, end)
    case Backend.ParameterDescription:
      return cold.decodeParameterDescription(bytes, start, end)
    case Backend.ParameterStatus:
      return cold.decodeParameterStatus(bytes, start, end)
    case Backend.RowDescription:
      return cold.decodeRowDescription(bytes, start, end)
    default:
      return undefined
  }
}

/** Reads a stream to its end or to the first violation, and returns how far it came. */
const readStream = (stream: Buffer, chunkBytes: number): { readonly read: number; readonly violated: boolean } => {
  let read = 0
  const decoder = new BackendDecoder({
    frame: (type, bytes, start, end) => {
      readFrame(type, bytes, start, end)
      read++
    }
  })
  decoder.maxMessageBytes = MAX_MESSAGE_BYTES
  try {
    for (let at = 0; at < stream.length; at += chunkBytes) decoder.push(stream.subarray(at, at + chunkBytes))
    return { read, violated: false }
  } catch (failure) {
    assert.instanceOf(failure, ProtocolViolation)
    return { read, violated: true }
  }
}

/** What the decoders make of a body, or undefined if they refuse it. */
const readOrRefused = (type: number, body: Buffer): { readonly value: unknown } | undefined => {
  try {
    return { value: readFrame(type, body, 0, body.length) }
  } catch (failure) {
    assert.instanceOf(failure, ProtocolViolation)
    return undefined
  }
}

const mutation = Arbitrary.all({ kind: int(0, 3), at: int(0, 0xffff), byte: int(0, 255) })

const mutate = (
  source: Buffer,
  mutations: ReadonlyArray<typeof mutation extends Arbitrary.Arbitrary<infer A> ? A : never>
): Buffer =>
  mutations.reduce((bytes, { kind, at, byte }) => {
    const index = at % (bytes.length + 1)
    const head = bytes.subarray(0, index)
    const tail = bytes.subarray(index)
    if (kind === 0) return Buffer.concat([head, Buffer.of(byte), tail.subarray(1)])
    if (kind === 1) return Buffer.concat([head, Buffer.of(byte), tail])
    if (kind === 2) return Buffer.concat([head, tail.subarray(1)])
    return Buffer.concat([head, Buffer.of((tail[0] ?? 0) ^ (1 << (byte % 8))), tail.subarray(1)])
  }, source)

const mutations = Arbitrary.array(mutation, { minLength: 1, maxLength: 6 })

describe("mutated messages", () => {
  it("are all read without a mutation", () => {
    assert.deepStrictEqual(readStream(Buffer.concat(known), 7), { read: known.length, violated: false })
  })

  it.prop(
    "cause nothing but ProtocolViolation in a stream, and the same wherever the chunks end",
    [Arbitrary.array(int(0, known.length - 1), { minLength: 1, maxLength: 6 }), mutations, int(1, 9)],
    ([picks, mutations, chunkBytes]) => {
      const stream = mutate(Buffer.concat(picks.map((pick) => known[pick]!)), mutations)
      assert.deepStrictEqual(readStream(stream, chunkBytes), readStream(stream, stream.length + 1))
    },
    runs(3_000)
  )

  it.prop(
    "cause nothing but ProtocolViolation in a frame, and do not depend on the bytes around it",
    [int(0, known.length - 1), mutations, bytes(8)],
    ([pick, mutations, around]) => {
      const type = known[pick]![0]!
      const body = mutate(known[pick]!.subarray(5), mutations)
      const expected = readOrRefused(type, body)
      const message = Buffer.concat([around, body, around])
      if (expected === undefined) {
        assert.throws(() => readFrame(type, message, around.length, around.length + body.length), ProtocolViolation)
      } else {
        assert.deepStrictEqual(readFrame(type, message, around.length, around.length + body.length), expected.value)
      }
    },
    runs(3_000)
  )

  it.prop(
    "are read equally by pg-protocol in an error, if ours still reads them",
    [errorBody, mutations],
    ([body, mutations]) => {
      const mutated = mutate(body, mutations)
      const ours = readOrRefused(Backend.ErrorResponse, mutated)
      if (ours === undefined) return
      const fields = readErrorFields(mutated, 0, mutated.length)
      const [, ...theirs] = theirComparable(parsedAs(NoticeMessage, Backend.NoticeResponse, mutated))
      assert.deepStrictEqual(comparable(fields).slice(1), theirs)
    },
    runs(1_000)
  )
})
