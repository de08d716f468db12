/**
 * Cuts the server's byte stream into frames, however the stream is split into chunks.
 *
 * - A frame that lies wholly in one chunk is handed over in place. A frame that spans chunks is assembled in a carry.
 * - Only the beginning of a very long error or notice is kept and handed over.
 * - The length is checked as soon as the five header bytes have arrived. The type is not checked: the sink decides
 *   which message may come next, and what to do with an unknown one.
 * - The bytes given to `frame` and `dataRows` are valid until the call returns. The sink's methods may replace the
 *   sink, raise the limit, stop the decoder or throw; they must not push. After a throw nothing more is delivered.
 */
import type { Buffer } from "node:buffer"
import { Backend, backendMessageName } from "./backendMessage.ts"
import { Carry } from "./carry.ts"
import { ProtocolViolation } from "./failure.ts"
import {
  MAX_COUNT,
  MAX_ERROR_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_NAME_BYTES,
  MAX_NOTICE_BYTES,
  MAX_SHORT_MESSAGE_BYTES,
  MAX_STARTUP_MESSAGE_BYTES
} from "./limits.ts"

/** Takes frames one by one: the type byte, and the body in `bytes[start, end)`. */
export interface FrameSink {
  frame(type: number, bytes: Buffer, start: number, end: number): void
  /**
   * Takes the DataRow whose header begins at `at`, and as many as it likes of the complete DataRows that follow it in
   * `bytes[0, limit)`. Returns the end of the last row that it took. A sink without this method gets rows as frames.
   */
  dataRows?(bytes: Buffer, at: number, limit: number): number
}

/** Byte1 type, Int32 length (which counts itself but not the type). */
export const HEADER_BYTES = 5

/** The smallest valid length of a message: the length counts itself. */
const LENGTH_BYTES = 4

/** The maximum length of the messages that may be long; the length counts itself. */
const LONG_MESSAGES: ReadonlyMap<number, number> = new Map<number, number>([
  [Backend.DataRow, MAX_MESSAGE_BYTES],
  [Backend.CopyData, MAX_MESSAGE_BYTES],
  [Backend.ErrorResponse, MAX_MESSAGE_BYTES],
  [Backend.NoticeResponse, MAX_MESSAGE_BYTES],
  // Each column has a name with its NUL, and 18 more bytes.
  [Backend.RowDescription, LENGTH_BYTES + 2 + MAX_COUNT * (MAX_NAME_BYTES + 1 + 18)],
  [Backend.ParameterDescription, LENGTH_BYTES + 2 + MAX_COUNT * 4],
  [Backend.CopyInResponse, LENGTH_BYTES + 3 + MAX_COUNT * 2],
  [Backend.CopyOutResponse, LENGTH_BYTES + 3 + MAX_COUNT * 2],
  // PostgreSQL limits payloads to less than 8,000 bytes.
  [Backend.NotificationResponse, 0x10000]
])

/** How many bytes of the body are kept, for the messages that may be cut. */
const KEPT_BYTES: ReadonlyMap<number, number> = new Map<number, number>([
  [Backend.ErrorResponse, MAX_ERROR_BYTES],
  [Backend.NoticeResponse, MAX_NOTICE_BYTES]
])

/** The Int32 that follows the type byte at `at`. */
const declaredLength = (bytes: Buffer, at: number): number =>
  (bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!

/**
 * The end of the DataRow that begins at `at`; 0 if there is none, or if it does not lie wholly in `bytes[0, limit)`.
 */
export const dataRowEnd = (bytes: Buffer, at: number, limit: number): number => {
  if (limit - at < HEADER_BYTES || bytes[at] !== Backend.DataRow) return 0
  const length = declaredLength(bytes, at)
  const end = at + 1 + length
  return length < LENGTH_BYTES || end > limit ? 0 : end
}

export class BackendDecoder {
  sink: FrameSink
  /** The longest message that is accepted. The session raises this small limit once the server has authenticated us. */
  maxMessageBytes: number = MAX_STARTUP_MESSAGE_BYTES
  /** The bytes kept of a frame that has arrived only in part. */
  private readonly carry = new Carry()
  /** How many of the frame's bytes have arrived. */
  private carried = 0
  /** The frame's size, header included; known once the header has arrived. */
  private frameBytes = 0
  /** How many of the frame's bytes are kept. */
  private keptBytes = 0
  private stopped = false

  constructor(sink: FrameSink) {
    this.sink = sink
  }

  /** The type byte of a frame that has arrived only in part. */
  get partialType(): number | undefined {
    return this.carried === 0 ? undefined : this.carry.bytes[0]
  }

  /** Delivers no further frame, not even from the current chunk. */
  stop(): void {
    this.stopped = true
    this.carried = 0
    this.carry.clear()
  }

  /**
   * Delivers every frame that `bytes[0, length)` completes. The caller may reuse the bytes afterwards. Throws
   * `ProtocolViolation` if a frame declares an invalid or excessive length, and whatever the sink throws.
   */
  push(bytes: Buffer, length: number = bytes.length): void {
    try {
      let at = this.carried === 0 ? 0 : this.completeCarried(bytes, length)
      while (!this.stopped && at < length) {
        const frameBytes = length - at < HEADER_BYTES ? 0 : this.frameBytesAt(bytes, at)
        const next = at + frameBytes
        if (frameBytes === 0 || next > length) {
          this.begin(bytes[at]!, frameBytes)
          this.append(bytes, at, length)
          return
        }
        at = this.deliver(bytes, at, next, length)
      }
    } catch (failure) {
      this.stop()
      throw failure
    }
  }

  /**
   * Delivers the frame in `bytes[at, end)`; a sink that takes rows may also take the rows that follow. Returns where
   * the next frame begins.
   */
  private deliver(bytes: Buffer, at: number, end: number, limit: number): number {
    const { sink } = this
    const type = bytes[at]!
    if (type === Backend.DataRow && sink.dataRows !== undefined) return sink.dataRows(bytes, at, limit)
    sink.frame(type, bytes, at + HEADER_BYTES, end)
    return end
  }

  /**
   * Appends the missing bytes to the partial frame, delivers it if that completes it, and returns where the next one
   * begins.
   */
  private completeCarried(bytes: Buffer, length: number): number {
    let at = 0
    if (this.carried < HEADER_BYTES) {
      at = Math.min(HEADER_BYTES - this.carried, length)
      this.append(bytes, 0, at)
      if (this.carried < HEADER_BYTES) return at
      this.begin(this.carry.bytes[0]!, this.frameBytesAt(this.carry.bytes, 0))
    }
    const next = Math.min(at + this.frameBytes - this.carried, length)
    this.append(bytes, at, next)
    if (this.carried === this.frameBytes) {
      const { carry } = this
      const kept = carry.length
      const frame = carry.take()
      this.carried = 0
      try {
        this.deliver(frame, 0, kept, kept)
      } finally {
        carry.release(frame)
      }
    }
    return next
  }

  /** Records the size of the partial frame; the size is 0 as long as its header is incomplete. */
  private begin(type: number, frameBytes: number): void {
    this.frameBytes = frameBytes
    this.keptBytes = Math.min(Math.max(frameBytes, HEADER_BYTES), HEADER_BYTES + (KEPT_BYTES.get(type) ?? frameBytes))
  }

  private append(bytes: Buffer, start: number, end: number): void {
    const room = this.keptBytes - this.carry.length
    if (room > 0) this.carry.append(bytes, start, Math.min(end, start + room), this.keptBytes)
    this.carried += end - start
  }

  /** The size of the frame whose header stands at `at`, header included. */
  private frameBytesAt(bytes: Buffer, at: number): number {
    const length = declaredLength(bytes, at)
    if (length < LENGTH_BYTES || length > MAX_SHORT_MESSAGE_BYTES) this.judgeLength(bytes[at]!, length)
    return 1 + length
  }

  private judgeLength(type: number, length: number): void {
    if (length < LENGTH_BYTES)
      throw new ProtocolViolation(`${backendMessageName(type)} with the invalid length ${length}`)
    const limit = Math.min(LONG_MESSAGES.get(type) ?? MAX_SHORT_MESSAGE_BYTES, this.maxMessageBytes)
    if (length > limit) {
      throw new ProtocolViolation(
        `${backendMessageName(type)} of ${length} bytes, where the client accepts at most ${limit}`
      )
    }
  }
}
