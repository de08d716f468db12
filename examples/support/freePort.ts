/** A port of this machine on which nobody listens. */
import { Effect } from "effect"
import * as ports from "../../src/testServer/freePort.ts"

export const freePort: Effect.Effect<number> = Effect.promise(ports.freePort)
