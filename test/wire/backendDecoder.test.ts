import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Buffer } from "node:buffer"
import { BackendDecoder, dataRowEnd, type FrameSink, HEADER_BYTES } from "../../src/wire/backendDecoder.ts"
import { Backend } from "../../src/wire/backendMessage.ts"
import { ProtocolViolation } from "../../src/wire/failure.ts"
import { MAX_MESSAGE_BYTES, MAX_SHORT_MESSAGE_BYTES, MAX_STARTUP_MESSAGE_BYTES } from "../../src/wire/limits.ts"
import { bytes, frame, golden, hex, int } from "./frames.ts"

/** A frame as text: type, then body in hex. */
const shown = (type: number, body: Uint8Array): string =>
  `${String.fromCharCode(type)} ${Buffer.from(body).toString("hex")}`

/** Keeps what it is given as text, because the bytes are overwritten. */
class Recorder implements FrameSink {
  readonly frames: Array<string> = []
  frame(type: number, bytes: Buffer, start: number, end: number): void {
    this.frames.push(shown(type, bytes.subarray(start, end)))
  }
}

const authenticated = (sink: FrameSink): BackendDecoder => {
  const decoder = new BackendDecoder(sink)
  decoder.maxMessageBytes = MAX_MESSAGE_BYTES
  return decoder
}

/**
 * The frames that are delivered if the chunks come one by one, each in a receive buffer that is overwritten afterwards.
 */
const decoded = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const recorder = new Recorder()
  const decoder = authenticated(recorder)
  const received = Buffer.alloc(Math.max(...chunks.map((chunk) => chunk.length)) + 8)
  for (const chunk of chunks) {
    received.fill(0xee)
    received.set(chunk)
    decoder.push(received, chunk.length)
  }
  assert.strictEqual(decoder.partialType, undefined)
  return recorder.frames
}

/** Records too, but takes rows many at a time, and reports how many it got at once. */
class RowRecorder extends Recorder {
  readonly runs: Array<number> = []
  dataRows(bytes: Buffer, at: number, limit: number): number {
    let next = at
    let count = 0
    for (let end = dataRowEnd(bytes, at, limit); end !== 0; end = dataRowEnd(bytes, next, limit)) {
      this.frame(Backend.DataRow, bytes, next + HEADER_BYTES, end)
      next = end
      count++
    }
    this.runs.push(count)
    return next
  }
}

const header = (type: number, length: number): Buffer => {
  const bytes = Buffer.of(type, 0, 0, 0, 0)
  bytes.writeInt32BE(length, 1)
  return bytes
}

/** The maximum length of a message whose type may be longer than most. */
const longest: ReadonlyMap<number, number> = new Map<number, number>([
  [Backend.DataRow, MAX_MESSAGE_BYTES],
  [Backend.CopyData, MAX_MESSAGE_BYTES],
  [Backend.ErrorResponse, MAX_MESSAGE_BYTES],
  [Backend.NoticeResponse, MAX_MESSAGE_BYTES],
  [Backend.RowDescription, 6 + 65_535 * 82],
  [Backend.ParameterDescription, 262_146],
  [Backend.CopyInResponse, 131_077],
  [Backend.CopyOutResponse, 131_077],
  [Backend.NotificationResponse, 65_536]
])

const conversation: ReadonlyArray<Buffer> = Object.values(golden)
const conversationShown = conversation.map((bytes) => shown(bytes[0]!, bytes.subarray(5)))

describe("BackendDecoder", () => {
  for (const name of Object.keys(Backend) as ReadonlyArray<keyof typeof Backend>) {
    const bytes = golden[name]
    const expected = [shown(Backend[name], bytes.subarray(5))]

    it(`delivers ${name}, whole or cut at any byte`, () => {
      assert.deepStrictEqual(decoded([bytes]), expected)
      for (let cut = 1; cut < bytes.length; cut++) {
        assert.deepStrictEqual(decoded([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`)
      }
    })
  }

  it("delivers a conversation that comes in one chunk", () => {
    assert.deepStrictEqual(decoded([Buffer.concat(conversation)]), conversationShown)
  })

  it("hands rows over together to a sink that takes them so, and loses none wherever the chunks are cut", () => {
    const row = golden.DataRow
    const others = [golden.BindComplete, golden.CommandComplete, golden.ReadyForQuery]
    const all = Buffer.concat([others[0]!, row, row, row, others[1]!, others[2]!, row, others[1]!])
    const expected = decoded([all])
    for (let cut = 0; cut <= all.length; cut++) {
      const recorder = new RowRecorder()
      const decoder = authenticated(recorder)
      decoder.push(all.subarray(0, cut))
      decoder.push(all.subarray(cut))
      assert.deepStrictEqual(recorder.frames, expected, `cut at ${cut}`)
      assert.isFalse(recorder.runs.includes(0))
      if (cut === 0) assert.deepStrictEqual(recorder.runs, [3, 1])
    }
  })

  it("checks the length of a row behind other rows", () => {
    for (const length of [3, -5, MAX_MESSAGE_BYTES + 1]) {
      const decoder = authenticated(new RowRecorder())
      assert.throws(
        () => decoder.push(Buffer.concat([golden.DataRow, header(Backend.DataRow, length)])),
        ProtocolViolation
      )
    }
  })

  it("delivers a conversation that comes byte by byte", () => {
    const single = Array.from(Buffer.concat(conversation), (byte) => Buffer.of(byte))
    assert.deepStrictEqual(decoded(single), conversationShown)
  })

  it("delivers a conversation that is cut in two anywhere", () => {
    const all = Buffer.concat(conversation)
    for (let cut = 1; cut < all.length; cut++) {
      assert.deepStrictEqual(decoded([all.subarray(0, cut), all.subarray(cut)]), conversationShown, `cut at ${cut}`)
    }
  })

  it.prop(
    "delivers the same frames however they are cut into chunks",
    [
      Arbitrary.array(Arbitrary.all([int(0, 255), bytes(40)]), { minLength: 1, maxLength: 12 }),
      Arbitrary.array(int(1, 30), { minLength: 1, maxLength: 20 })
    ],
    ([frames, sizes]) => {
      const all = Buffer.concat(frames.map(([type, body]) => frame(type, body)))
      const chunks: Array<Buffer> = []
      for (let at = 0; at < all.length; at += chunks.at(-1)!.length) {
        chunks.push(all.subarray(at, at + sizes[chunks.length % sizes.length]!))
      }
      assert.deepStrictEqual(
        decoded(chunks),
        frames.map(([type, body]) => shown(type, body))
      )
    },
    { arbitrary: { runs: 500 } }
  )

  it("delivers a frame far larger than any chunk, and small frames after it", () => {
    const row = frame(Backend.DataRow, Buffer.alloc(1_000_000, "effect"))
    const all = Buffer.concat([row, golden.ReadyForQuery, row, golden.NoData])
    const chunks: Array<Buffer> = []
    for (let at = 0; at < all.length; at += 65_536) chunks.push(all.subarray(at, at + 65_536))
    const rowShown = shown(Backend.DataRow, row.subarray(5))
    assert.deepStrictEqual(decoded(chunks), [rowShown, "Z 49", rowShown, "n "])
  })

  it("hands a whole frame over where it lies, and a cut one in memory that the caller may overwrite", () => {
    const seen: Array<Buffer> = []
    const decoder = authenticated({ frame: (_type, bytes) => seen.push(bytes) })
    const chunk = Buffer.concat([golden.DataRow, golden.ParameterStatus])
    decoder.push(chunk, golden.DataRow.length + 9)
    decoder.push(chunk.subarray(golden.DataRow.length + 9))
    assert.strictEqual(seen.length, 2)
    assert.strictEqual(seen[0], chunk)
    assert.notStrictEqual(seen[1]!.buffer, chunk.buffer)
  })

  it("passes unknown types on to the sink", () => {
    assert.deepStrictEqual(decoded([hex("00 00000004 ff 00000006 0102")]), ["\0 ", "ÿ 0102"])
  })

  describe("lengths", () => {
    for (const length of [3, 2, 1, 0, -1, -5, -0x80000000]) {
      it(`refuses a message of length ${length} at its header`, () => {
        const recorder = new Recorder()
        const decoder = authenticated(recorder)
        assert.throws(() => decoder.push(header(Backend.DataRow, length)), ProtocolViolation, String(length))
        const bytewise = authenticated(recorder)
        const bytes = header(Backend.DataRow, length)
        for (let at = 0; at < 4; at++) bytewise.push(bytes.subarray(at, at + 1))
        assert.throws(() => bytewise.push(bytes.subarray(4)), ProtocolViolation, String(length))
        assert.deepStrictEqual(recorder.frames, [])
      })
    }

    it("refuses a message of 2 GiB at its header, and allocates nothing for it", () => {
      const decoder = authenticated(new Recorder())
      const before = process.memoryUsage().arrayBuffers
      assert.throws(() => decoder.push(header(Backend.DataRow, 0x7fffffff)), ProtocolViolation, "DataRow")
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 1_000_000)
    })

    it("allocates by the bytes that came, not by the declared length", () => {
      const decoder = authenticated(new Recorder())
      const before = process.memoryUsage().arrayBuffers
      decoder.push(header(Backend.DataRow, MAX_MESSAGE_BYTES))
      for (let chunk = 0; chunk < 100; chunk++) decoder.push(Buffer.alloc(100))
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 1_000_000)
      assert.strictEqual(decoder.partialType, Backend.DataRow)
    })

    it("takes the largest message that PostgreSQL sends, and not one byte more", () => {
      const decoder = authenticated(new Recorder())
      decoder.push(header(Backend.DataRow, MAX_MESSAGE_BYTES))
      assert.strictEqual(decoder.partialType, Backend.DataRow)
      const other = authenticated(new Recorder())
      assert.throws(() => other.push(header(Backend.DataRow, MAX_MESSAGE_BYTES + 1)), ProtocolViolation, "at most")
    })

    it("takes only short messages before the server has authenticated us, whatever the type", () => {
      for (const type of longest.keys()) {
        new BackendDecoder(new Recorder()).push(header(type, MAX_STARTUP_MESSAGE_BYTES))
        const decoder = new BackendDecoder(new Recorder())
        assert.throws(() => decoder.push(header(type, MAX_STARTUP_MESSAGE_BYTES + 1)), ProtocolViolation, "at most")
      }
    })

    it("takes long messages only of the types that carry rows, data, descriptions or texts", () => {
      for (let type = 0; type < 256; type++) {
        const decoder = authenticated(new Recorder())
        const most = longest.get(type) ?? MAX_SHORT_MESSAGE_BYTES
        decoder.push(header(type, most))
        assert.strictEqual(decoder.partialType, type)
        const other = authenticated(new Recorder())
        assert.throws(() => other.push(header(type, most + 1)), ProtocolViolation, `at most ${most}`)
      }
    })

    it("applies a limit that is raised from within a frame", () => {
      const recorder = new Recorder()
      const decoder = new BackendDecoder({
        frame: () => {
          decoder.maxMessageBytes = MAX_MESSAGE_BYTES
          decoder.sink = recorder
        }
      })
      const notice = frame(Backend.NoticeResponse, Buffer.alloc(MAX_STARTUP_MESSAGE_BYTES))
      decoder.push(Buffer.concat([golden.Authentication, notice]))
      assert.strictEqual(recorder.frames.length, 1)
    })
  })

  describe("partialType", () => {
    it("is the type of the frame that waits for more bytes, from its first byte to its last but one", () => {
      const decoder = authenticated(new Recorder())
      assert.strictEqual(decoder.partialType, undefined)
      for (let at = 0; at < golden.DataRow.length - 1; at++) {
        decoder.push(golden.DataRow.subarray(at, at + 1))
        assert.strictEqual(decoder.partialType, Backend.DataRow)
      }
      decoder.push(golden.DataRow.subarray(-1))
      assert.strictEqual(decoder.partialType, undefined)
    })

    it("is that of the cut frame if whole frames came before it", () => {
      const decoder = authenticated(new Recorder())
      decoder.push(Buffer.concat([golden.BindComplete, golden.CommandComplete.subarray(0, 7)]))
      assert.strictEqual(decoder.partialType, Backend.CommandComplete)
    })

    it("does not count the frame that is being delivered", () => {
      const seen: Array<number | undefined> = []
      const decoder = authenticated({ frame: () => seen.push(decoder.partialType) })
      decoder.push(golden.ReadyForQuery.subarray(0, 5))
      decoder.push(golden.ReadyForQuery.subarray(5))
      assert.deepStrictEqual(seen, [undefined])
    })
  })

  const all = Buffer.concat(conversation)
  for (const [where, chunks] of [
    ["in the middle of a chunk", [all]],
    ["after a frame whose header was cut", [all.subarray(0, 3), all.subarray(3)]],
    ["after a frame whose body was cut", [all.subarray(0, 7), all.subarray(7)]]
  ] as const) {
    describe(`${where}`, () => {
      it("gives the following frames to a sink that a frame has installed", () => {
        const first = new Recorder()
        const second = new Recorder()
        const decoder = authenticated({
          frame: (type, bytes, start, end) => {
            first.frame(type, bytes, start, end)
            decoder.sink = second
          }
        })
        for (const chunk of chunks) decoder.push(chunk)
        assert.deepStrictEqual(first.frames, conversationShown.slice(0, 1))
        assert.deepStrictEqual(second.frames, conversationShown.slice(1))
      })

      it("delivers nothing after a stop", () => {
        const recorder = new Recorder()
        const decoder = authenticated({
          frame: (type, bytes, start, end) => {
            recorder.frame(type, bytes, start, end)
            decoder.stop()
          }
        })
        for (const chunk of chunks) decoder.push(chunk)
        decoder.push(golden.DataRow)
        assert.deepStrictEqual(recorder.frames, conversationShown.slice(0, 1))
        assert.strictEqual(decoder.partialType, undefined)
      })

      it("passes on what the sink throws, and delivers neither that frame again nor any other", () => {
        const recorder = new Recorder()
        const decoder = authenticated({
          frame: (type, bytes, start, end) => {
            recorder.frame(type, bytes, start, end)
            throw new ProtocolViolation("not here")
          }
        })
        for (const chunk of chunks.slice(0, -1)) decoder.push(chunk)
        assert.throws(() => decoder.push(chunks.at(-1)!), ProtocolViolation, "not here")
        decoder.push(golden.DataRow)
        assert.deepStrictEqual(recorder.frames, conversationShown.slice(0, 1))
      })
    })
  }
})
