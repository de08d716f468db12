/**
 * CancelRequest: asks the server, over a connection of its own, to interrupt what a backend is running. The server
 * answers by closing that connection, once it has sent the signal.
 */
import * as Effect from "effect/Effect"
import type { BackendKey } from "../../wire/backendMessage.ts"
import { encodeCancelRequest } from "../../wire/coldMessages.ts"
import { open, type Transport, type TransportOptions } from "../engine/transport.ts"

/**
 * Cancels what the backend behind `transport` runs; completes when the server has closed the connection that carried
 * the request, or when that connection cannot be made: then the query goes on, and the fence's bound decides.
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
    // Our side stays open: PgBouncer takes its end for a change of mind, and its version 1.18 then ends altogether.
    side.write(encodeCancelRequest(key))
  })
