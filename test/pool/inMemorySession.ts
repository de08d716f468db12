/**
 * Makes a real session over a transport that is not a socket: it answers simple queries at once, and can be told to
 * break. It serves tests of the layers above sessions, under a clock that the test moves.
 */
import { Buffer } from "node:buffer"
import { TransactionStatus } from "../../src/wire/backendMessage.ts"
import { BackendDecoder, type FrameSink } from "../../src/wire/backendDecoder.ts"
import { TypeCatalogue } from "../../src/session/types/typeCatalogue.ts"
import { Observer } from "../../src/session/observing/observer.ts"
import { Session } from "../../src/session/engine/session.ts"
import type { Transport, TransportEvents } from "../../src/session/engine/transport.ts"
import * as Say from "../support/scriptedServer/say.ts"

const NOBODY: TransportEvents & FrameSink = { data: () => {}, drain: () => {}, closed: () => {}, frame: () => {} }
const QUERY = "Q".charCodeAt(0)
const TERMINATE = "X".charCodeAt(0)

export interface InMemorySession {
  readonly session: Session
  /** Ends the session as when the backend is killed. */
  readonly breakOff: () => void
  /** Keeps the answers back from now on. */
  readonly fallSilent: () => void
  /** Gives the answers that were kept back, and answers at once again. */
  readonly speak: () => void
}

/** Every statement is answered with that command tag. */
export const inMemorySession = (tag = "INSERT 0 0"): InMemorySession => {
  let isOpen = true
  let kept: Array<Buffer> | undefined
  const reply = (bytes: Buffer): void => {
    if (kept === undefined) transport.events.data(bytes, bytes.length)
    else kept.push(bytes)
  }
  const breakOff = (): void => {
    if (!isOpen) return
    isOpen = false
    transport.events.closed(undefined)
  }
  const answer = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
      if (bytes[at] === TERMINATE) return breakOff()
      if (bytes[at] !== QUERY || !isOpen) continue
      reply(Buffer.concat([Say.commandComplete(tag), Say.ready()]))
    }
  }
  const transport: Transport = {
    encrypted: false,
    tls: undefined,
    isLocal: true,
    address: { _tag: "Unix", path: "nowhere" },
    events: NOBODY,
    write: (bytes) => {
      queueMicrotask(() => answer(bytes))
      return true
    },
    end: (bytes) => queueMicrotask(() => answer(bytes)),
    destroy: () => void (isOpen = false),
    pause: () => {},
    resume: () => {}
  }
  const decoder = new BackendDecoder(NOBODY)
  const session = new Session(transport, decoder, {
    catalogue: TypeCatalogue.open(),
    statementCache: { mode: "cached", size: 0, lifetimeMillis: 0, maxSqlBytes: 0 },
    namespace: "test",
    cancelTimeoutMillis: 1000,
    cancel: (closed) => closed(),
    parameters: new Map(),
    processId: Say.PROCESS_ID,
    observer: new Observer(
      { onQuery: undefined, slowQueryMillis: undefined, metrics: false, comment: undefined },
      { user: "test", database: "app", address: "nowhere", port: undefined }
    )
  })
  decoder.sink = session
  transport.events = session
  session.transactionStatus = TransactionStatus.idle
  return {
    session,
    breakOff,
    fallSilent: () => {
      kept ??= []
    },
    speak: () => {
      const answers = kept ?? []
      kept = undefined
      for (const bytes of answers) reply(bytes)
    }
  }
}
