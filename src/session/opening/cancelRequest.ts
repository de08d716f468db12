/**
 * Sends a CancelRequest, which asks the server over a separate connection to interrupt what a backend runs. The server
 * closes that connection once it has sent the signal.
 */
import * as Effect from "effect/Effect"
import type { BackendKey } from "../../wire/backendMessage.ts"
import { encodeCancelRequest } from "../../wire/coldMessages.ts"
import { open, type Transport, type TransportOptions } from "../engine/transport.ts"

/**
 * Cancels what the backend of `transport` runs. Completes when the server has closed the connection of the request, or
 * if that connection cannot be made: the query then goes on until `cancelTimeout`.
 */
export const sendCancel = (transport: Transport, options: TransportOptions, key: BackendKey): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(open(transport.address, options, restore), (side) =>
      Effect.onExit(restore(untilClosed(side, key)), () => Effect.sync(() => side.destroy()))
    )
  ).pipe(Effect.ignore)

const untilClosed = (side: Transport, key: BackendKey): Effect.Effect<void> =>
  Effect.callback((resume) => {
    side.events = { data: () => {}, drain: () => {}, closed: () => resume(Effect.void) }
    // The client does not close its side. PgBouncer would take that for a withdrawal, and its version 1.18 would crash.
    side.write(encodeCancelRequest(key))
  })
