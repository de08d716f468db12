/**
 * The router of a client with a pool for reads. A call that only reads, as it says itself or as a region around it says,
 * goes to that pool. Any other call goes to the primary's, and a call inside of a transaction stays there.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { CallOptions, ReadOnlyOptions } from "../call/call.ts"
import { lsnOf } from "../call/lsn.ts"
import { readOnlyOptions } from "../call/options.ts"
import {
  type BondKey,
  type Companion,
  type Lender,
  type Reading,
  Router,
  type SessionSource
} from "../connection/router.ts"
import type * as PgError from "../PgError.ts"
import type { Observer } from "../session/observing/observer.ts"
import type { Request } from "../session/request/request.ts"
import { FreshReads, type Supply } from "./freshReads.ts"
import { mayOnlyRead } from "./onlyReads.ts"
import { Replay } from "./replay.ts"

const DEFAULT_WAIT_MILLIS = 200

let regions = 0

/** Hides a lender in the context of a fiber, because loggers and debuggers print contexts. */
class Region {
  readonly #lender: Lender

  constructor(lender: Lender) {
    this.#lender = lender
  }

  get lender(): Lender {
    return this.#lender
  }
}

/** What lends sessions to the reads of one client, and the key under which a fiber's context has what its region takes. */
export class Standbys implements Supply {
  readonly region: Context.Service<Region, Region> = Context.Service(`effectpg/reads/Region/${regions++}`)
  readonly lender: Lender
  readonly primary: Lender
  readonly replay = new Replay()
  readonly behind: Supply["behind"]

  constructor(lender: Lender, primary: Lender, behind: Supply["behind"]) {
    this.lender = lender
    this.primary = primary
    this.behind = behind
  }

  /** What lends sessions to reads with these options. */
  with({ after, wait = DEFAULT_WAIT_MILLIS }: ReadOnlyOptions): Lender {
    const position = lsnOf(after)
    if (position === undefined) return this.lender
    const waitMillis = Option.match(Duration.fromInput(wait), { onNone: () => 0, onSome: Duration.toMillis })
    return new FreshReads(this, { after: position, waitMillis })
  }
}

interface ReadsRouterOptions {
  readonly source: SessionSource
  readonly standbys: Standbys
  readonly observer: Observer
  /** Hears of what runs on the standbys. */
  readonly readsObserver: Observer
  readonly key?: BondKey | undefined
  readonly companions?: Array<Companion> | undefined
}

export class ReadsRouter extends Router {
  private readonly standbys: Standbys
  private readonly readsObserver: Observer

  constructor({ companions, key, observer, readsObserver, source, standbys }: ReadsRouterOptions) {
    super(source, key, observer, companions)
    this.standbys = standbys
    this.readsObserver = readsObserver
  }

  /** Only an adapter that works for one transaction brings a source. */
  override adapted(observer: Observer, source: SessionSource = this.source): Router {
    if (source !== this.source) return super.adapted(observer, source)
    const { companions, key, standbys } = this
    return new ReadsRouter({
      source,
      standbys,
      observer,
      readsObserver: this.readsObserver.withoutSpans,
      key,
      companions
    })
  }

  /** Runs an effect whose reads may run on a standby. */
  override region<A, E, R>(effect: Effect.Effect<A, E, R>, options: ReadOnlyOptions): Effect.Effect<A, E, R> {
    return Effect.provideService(effect, this.standbys.region, new Region(this.standbys.with(options)))
  }

  override run<A>(
    operation: string,
    request: Request<A>,
    options: CallOptions | undefined
  ): Effect.Effect<A, PgError.PgError> {
    return Effect.withFiber((fiber) => {
      const lender = this.lenderFor(
        fiber,
        options?.readOnly,
        () => request.params !== undefined && mayOnlyRead(request.sql)
      )
      return lender === undefined
        ? super.run(operation, request, options)
        : this.leadingTo(lender).run(operation, request, options)
    })
  }

  override reading<A, E, R>(
    { readOnly, texts }: Reading,
    use: (router: Router) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> {
    return Effect.withFiber((fiber) => {
      const lender = this.lenderFor(fiber, readOnly, () => texts.every(mayOnlyRead))
      return use(lender === undefined ? this : this.leadingTo(lender))
    })
  }

  private leadingTo(lender: Lender): Router {
    return new Router(lender, this.key, this.readsObserver, this.companions)
  }

  /** What lends a session to the call of a fiber; undefined if the primary does, or if the fiber has one. */
  private lenderFor(
    fiber: Fiber.Fiber<unknown, unknown>,
    readOnly: CallOptions["readOnly"],
    mayRead: () => boolean
  ): Lender | undefined {
    if (readOnly === false || this.bondOf(fiber) !== undefined) return undefined
    if (typeof readOnly === "object") return this.standbys.with(readOnlyOptions(readOnly) ?? {})
    const region = Context.getOrUndefined(fiber.context, this.standbys.region)?.lender
    if (readOnly === true) return region ?? this.standbys.lender
    return region !== undefined && mayRead() ? region : undefined
  }
}
