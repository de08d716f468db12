/** Faults on demand: what can happen to a connection, and when. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { timeoutOrElse } from "../call/realTime.ts"
import * as PgConfig from "../PgConfig.ts"
import * as PgConnection from "../PgConnection.ts"
import * as PgError from "../PgError.ts"
import { type ProxiedLink, type ProxiedMessage, type Proxy, proxyTo, type Upstream } from "./proxy.ts"

/**
 * What happens to a connection:
 *
 * - `killBackend`: an administrator ends the server's process (`pg_terminate_backend`).
 * - `resetSocket`: the network breaks the connection off, as with a firewall or a machine that went down.
 * - `closeSocket`: the server closes its side and says nothing.
 * - `stall`: from now on nothing passes in either direction, until `resume`.
 * - `loseCommitAnswer`: the server commits the next transaction, and the connection breaks off before it can say so.
 *
 * @category faults
 * @since 0.1.0
 */
export type Fault = "killBackend" | "resetSocket" | "closeSocket" | "stall" | "loseCommitAnswer"

/**
 * A message of PostgreSQL's protocol between client and server.
 *
 * @category faults
 * @since 0.1.0
 */
export interface Message {
  readonly from: "client" | "server"
  /** The letter of the message in the protocol, such as `Q` for a query; `startup` for the one that begins a connection. */
  readonly type: string
}

/**
 * When a fault happens: immediately before a message is passed on. By default that is the next one.
 *
 * @category faults
 * @since 0.1.0
 */
export interface When {
  /** The number of the message, from 1, counted from now on over both directions and all connections. */
  readonly message?: number | undefined
  /** Which messages count. By default all do. */
  readonly where?: ((message: Message) => boolean) | undefined
}

/**
 * Makes faults happen on the connections that `settings` lead to, one at a time.
 *
 * @category faults
 * @since 0.1.0
 */
export interface Faults {
  /** How to connect so that faults can happen. The connection leads to the database of the test, without TLS. */
  readonly settings: PgConfig.Settings
  /** Arranges that a fault happens. It takes the place of one that has not happened yet. */
  readonly strike: (fault: Fault, when?: When) => Effect.Effect<void>
  /** Takes back a fault that has not happened yet, and lets pass what a stall has held. */
  readonly resume: Effect.Effect<void>
  /** How many faults have happened. */
  readonly happened: Effect.Effect<number>
  /**
   * Runs an effect without a fault, and returns how many messages passed. With it, a test can strike at each of them in turn.
   */
  readonly countMessages: <E, R>(effect: Effect.Effect<unknown, E, R>) => Effect.Effect<number, E, R>
}

/**
 * The service tag of the faults.
 *
 * @category faults
 * @since 0.1.0
 */
export const Faults: Context.Service<Faults, Faults> = Context.Service<Faults>("effectpg/PgTest/Faults")

// ------------------------------------------------------------------------------------------------------ making

/** Stands between clients and the server of these settings, until the scope closes. */
export const makeFaults = (settings: PgConfig.Settings): Effect.Effect<Faults, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const observer = yield* PgConnection.make({ ...settings, applicationName: "effectpg PgTest" })
    const proxy = yield* proxyTo(yield* upstreamOf(settings))
    return new ProxyFaults(proxy, settings, observer)
  })

const upstreamOf = (settings: PgConfig.Settings): Effect.Effect<Upstream, PgError.PgError> =>
  Effect.flatMap(PgConfig.resolve(settings), ({ hosts: [host] }): Effect.Effect<Upstream, PgError.PgError> => {
    if (host === undefined)
      return Effect.fail(new PgError.InvalidConfigError({ setting: "host", reason: "is missing" }))
    if (host._tag === "Unix") return Effect.succeed({ path: host.path.replace(/^@/, "\0") })
    return Effect.succeed({ host: host.address ?? host.host, port: host.port })
  })

class ProxyFaults implements Faults {
  readonly settings: PgConfig.Settings
  readonly resume: Effect.Effect<void>
  readonly happened: Effect.Effect<number>
  readonly #proxy: Proxy
  readonly #observer: PgConnection.PgConnection
  #count = 0

  constructor(proxy: Proxy, settings: PgConfig.Settings, observer: PgConnection.PgConnection) {
    this.#proxy = proxy
    this.#observer = observer
    this.settings = { ...settings, host: proxy.host, port: proxy.port, sslMode: "disable" }
    this.happened = Effect.sync(() => this.#count)
    this.resume = Effect.sync(() => {
      proxy.onMessage = () => {}
      for (const link of proxy.links) link.letGo()
    })
  }

  strike(fault: Fault, { message = 1, where = () => true }: When = {}): Effect.Effect<void> {
    return Effect.sync(() => {
      let left = message
      const onTime = (link: ProxiedLink): void => {
        if (fault === "loseCommitAnswer") this.#proxy.onMessage = this.#commitLoss(link)
        else this.#happen(() => strikeLink(link, fault, this.#observer))
      }
      this.#proxy.onMessage = (link, passing) => {
        const counts = fault === "loseCommitAnswer" ? isCommit(passing) : where(messageOf(passing))
        if (counts && --left === 0) onTime(link)
      }
    })
  }

  /** Breaks the connection off when the server answers. */
  #commitLoss(committing: ProxiedLink): Proxy["onMessage"] {
    return (link, { from }) => {
      if (link === committing && from === "server") this.#happen(() => link.reset())
    }
  }

  #happen(strike: () => void): void {
    this.#proxy.onMessage = () => {}
    this.#count++
    strike()
  }

  countMessages<E, R>(effect: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> {
    return Effect.suspend(() => {
      let messages = 0
      this.#proxy.onMessage = () => messages++
      return Effect.map(
        Effect.onExit(effect, () => this.resume),
        () => messages
      )
    })
  }

  toJSON(): unknown {
    return { _id: "effectpg/PgTest/Faults" }
  }
}

const messageOf = ({ from, type }: ProxiedMessage): Message => ({ from, type })

/** COMMIT as a simple query, or as a statement that is parsed. */
const isCommit = ({ bytes, from, type }: ProxiedMessage): boolean =>
  from === "client" && (type === "Q" || type === "P") && /^(?:[^\0]*\0)?\s*(?:COMMIT|END)\b/i.test(bodyOf(bytes))

const HEADER_BYTES = 5
const bodyOf = (bytes: ProxiedMessage["bytes"]): string => bytes.toString("latin1", HEADER_BYTES)

// ------------------------------------------------------------------------------------------------------ striking

/** How long a backend may take to end. */
const KILL_MILLIS = 1_000

/**
 * Makes a fault happen on a link now. The observer is connected to the same server, and not over the link.
 *
 * @internal
 */
export const strikeLink = (
  link: ProxiedLink,
  fault: Exclude<Fault, "loseCommitAnswer">,
  observer: PgConnection.Queryable
): void => {
  switch (fault) {
    case "killBackend": {
      const { processId } = link
      // A backend that does not exist yet cannot be killed: then the link breaks.
      if (processId === undefined) return link.reset()
      link.hold()
      Effect.runFork(
        Effect.ignore(observer.execute("SELECT pg_catalog.pg_terminate_backend($1)", [processId])).pipe(
          Effect.andThen(timeoutOrElse(link.untilServerEnds, KILL_MILLIS, () => Effect.sync(() => link.reset()))),
          Effect.ensuring(Effect.sync(() => link.letGo()))
        )
      )
      return
    }
    case "resetSocket":
      return link.reset()
    case "closeSocket":
      return link.halfClose()
    case "stall":
      return link.hold()
  }
}
