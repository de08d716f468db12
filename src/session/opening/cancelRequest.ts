/**
 * Sends a CancelRequest, which asks the server over a separate connection to interrupt what a backend runs. The server
 * closes that connection once it has sent the signal.
 */
import * as Effect from "effect/Effect"
import type { BackendKey } from "../../wire/backendMessage.ts"
import { encodeCancelRequest } from "../../wire/coldMessages.ts"
import { open, type Transport, type TransportOptions } from "../engine/transport.ts"

/**
 * Cancels what the backend of `transport` runs, over a connection to the same address, opened with the same `options`.
 * Completes when the server has closed that connection, or if it cannot be made: the query then goes on until
 * `cancelTimeout`.
 */
export const sendCancel = (transport: Transport, options: TransportOptions, key: BackendKey): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(open(transport.address, { ...options, sslMode: sslModeOf(transport, options) }, restore), (side) =>
      Effect.onExit(restore(untilClosed(side, key)), () => Effect.sync(() => side.destroy()))
    )
  ).pipe(Effect.ignore)

/** The key is never sent unencrypted if the session itself is encrypted. */
const sslModeOf = ({ encrypted }: Transport, { sslMode }: TransportOptions): TransportOptions["sslMode"] => {
  if (!encrypted) return "disable"
  return sslMode === "prefer" ? "require" : sslMode
}

const untilClosed = (side: Transport, key: BackendKey): Effect.Effect<void> =>
  Effect.callback((resume) => {
    side.events = { data: () => {}, drain: () => {}, closed: () => resume(Effect.void) }
    // The client does not close its side. PgBouncer would take that for a withdrawal, and its version 1.18 would crash.
    side.write(encodeCancelRequest(key))
  })
