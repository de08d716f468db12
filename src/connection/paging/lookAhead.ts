/**
 * Asks for pages of a stream before its reader wants them, so that the server works and the line carries while the reader
 * does. Only a stream in a transaction of its own does so, and not before its reader comes back for a second page:
 *
 * ```
 * first page    : asked for alone, because many readers want no more
 * second page   : has the transaction written? + the page
 * later pages   : the page, if it is not there, and some more behind it
 * ```
 * A statement that has written, or locked rows, is never run ahead of its reader: it ends with the effects of the pages
 * that the reader came for. Any other one can be canceled and rolled back if a page is slow when the stream ends.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import type { Exchange } from "../../session/engine/exchange.ts"
import type { Page } from "../../session/request/portal.ts"
import type { Request } from "../../session/request/request.ts"
import { withinGrace } from "../../session/transaction/control.ts"
import { askWhetherWritten } from "../../session/transaction/ending.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import type { Row } from "../../call/call.ts"
import { HELD_BYTES, type PageSize } from "./pageSize.ts"

/** Only such pages are asked for ahead, as far as the last page tells: the end of the stream may have to wait for them. */
const QUICK_MILLIS = 100
/** A session that has more requests before it lets them gather before it writes them. */
const MOST_AHEAD = 15

/**
 * How many pages to ask for ahead: one, and as many more as the server begins during a round trip, so that it always has
 * something to do. `pageMillis` is how long a page takes the server and the line beyond the round trip.
 */
export const pagesAhead = (pageMillis: number, roundTripMillis: number): number =>
  pageMillis > QUICK_MILLIS ? 0 : Math.min(MOST_AHEAD, 1 + Math.ceil(roundTripMillis / Math.max(1, pageMillis)))

export class LookAhead {
  private readonly level: TransactionLevel
  private readonly size: PageSize
  private readonly request: () => Request<Page<Row>>
  /** The pages that the reader has not come for, in order. */
  private pages: Array<AskedPage> = []
  /** The page that the reader waits for. */
  private awaited: AskedPage | undefined
  /** How many pages to ask for ahead. */
  private ahead = 0
  private hasAsked = false
  private mayAsk = false
  /** Whether a page was the last one, or failed. */
  private isComplete = false
  private isPaused = false
  /** Whether more has come than the reader could take, since it last waited for a page. */
  private isReaderSlow = false
  private isEnding = false
  /** How many pages ahead fit in memory, beside the page that is read. */
  private fitting = 1
  /** How long the smallest answer took. */
  private roundTripMillis = 0
  /** When the last answer came, or could begin to come. */
  private cameAt = 0

  constructor(level: TransactionLevel, size: PageSize, request: () => Request<Page<Row>>) {
    this.level = level
    this.size = size
    this.request = request
  }

  /** Takes the next page. If the reader is interrupted meanwhile, all pages under way are canceled. */
  readonly next: Effect.Effect<Page<Row>, PgError.PgError> = Effect.suspend(() => {
    if (!this.hasAsked) this.askWhetherWritten()
    this.askAhead()
    const page = this.pages.shift()
    // The transaction has ended, and says why.
    if (page === undefined) return this.level.run(this.request())
    this.keepReading(true)
    if (page.exit !== undefined) return page.exit
    this.isReaderSlow = false
    this.awaited = page
    return Effect.callback((resume) => {
      // The fiber may have yielded meanwhile.
      if (page.exit !== undefined) return resume(page.exit)
      page.tell = resume
      return Effect.sync(() => this.abandon([page, ...this.pages]))
    })
  })

  get isUnderWay(): boolean {
    return this.pages.some(isUnderWay)
  }

  /** Waits for the pages under way, but not for long. Returns false if the transaction can no longer be committed. */
  get settled(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const { pages } = this
      const wait = withinGrace(this.level.session, (done) => {
        const look = (): void => void (this.isUnderWay || done())
        this.isEnding = true
        this.keepReading(true)
        for (const page of pages) page.tell = look
        look()
      })
      const isSound = Effect.sync(() => pages.every(({ exit }) => exit !== undefined && Exit.isSuccess(exit)))
      return this.isUnderWay ? Effect.andThen(wait, isSound) : isSound
    })
  }

  /** Asks for the page that the reader wants, and for those after it: for a slow reader, no more than fit in memory. */
  private askAhead(): void {
    const most = this.isReaderSlow ? Math.min(this.ahead, this.fitting) : this.ahead
    for (let count = this.pages.length; count <= most && !this.isComplete && !this.level.isOver; count++) this.ask()
  }

  private askWhetherWritten(): void {
    this.hasAsked = true
    const askedAt = performance.now()
    askWhetherWritten(this.level.session, (hasWritten) => {
      this.cameAt = performance.now()
      this.roundTripMillis = this.cameAt - askedAt
      if (hasWritten) return
      this.mayAsk = true
      this.size.share()
    })
  }

  private ask(): void {
    const page = new AskedPage()
    this.pages.push(page)
    page.exchange = this.level.post(this.request(), (exit) => this.came(page, exit))
  }

  private came(page: AskedPage, exit: Exit.Exit<Page<Row>, PgError.PgError>): void {
    page.exit = exit
    if (Exit.isSuccess(exit)) this.learn(page, exit.value)
    else this.isComplete = true
    if (page === this.awaited) this.awaited = undefined
    page.tell?.(exit)
    // A page may wait for a lookup of types, whose answer comes behind those of later pages.
    const waiting = this.pages.findIndex(isUnderWay)
    const isFull = waiting >= this.fitting && this.awaited === undefined && !this.isEnding
    this.keepReading(!isFull || Exit.isFailure(exit))
  }

  private learn({ askedAt }: AskedPage, { bytes, isLast, rows }: Page<Row>): void {
    const now = performance.now()
    const pageMillis = now - Math.max(askedAt + this.roundTripMillis, this.cameAt)
    this.cameAt = now
    this.isComplete ||= isLast
    this.fitting = Math.max(1, Math.round(HELD_BYTES / Math.max(1, bytes)) - 1)
    this.size.learn(rows.length, bytes)
    if (this.mayAsk) this.ahead = pagesAhead(pageMillis, this.roundTripMillis)
  }

  /** Stops reading from the socket while the reader has enough to do, or resumes. */
  private keepReading(isReading: boolean): void {
    if (isReading !== this.isPaused) return
    this.isPaused = !isReading
    this.isReaderSlow ||= this.isPaused
    this.level.session.keepReading(isReading)
    this.cameAt = performance.now()
  }

  private abandon(pages: ReadonlyArray<AskedPage>): void {
    const { session } = this.level
    this.pages = []
    this.keepReading(true)
    for (const { exchange } of pages.filter(isUnderWay)) if (exchange !== undefined) session.abandon(exchange)
  }
}

/** A page that was asked for. */
class AskedPage {
  readonly askedAt = performance.now()
  exchange: Exchange | undefined
  exit: Exit.Exit<Page<Row>, PgError.PgError> | undefined
  /** Called with the result when the page has come. */
  tell: ((exit: Exit.Exit<Page<Row>, PgError.PgError>) => void) | undefined
}

const isUnderWay = ({ exit }: AskedPage): boolean => exit === undefined
