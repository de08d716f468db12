/**
 * Streams rows a page at a time from a portal. The server keeps a portal only within a transaction: the fiber's, or one
 * that the stream begins for itself on a session of its own. The stream asks for the next page when the reader has used
 * up the one before. It therefore holds only one page in memory, and other statements of the transaction can run in
 * between.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ObjectRow } from "../../codec/rowReader.ts"
import * as PgError from "../../PgError.ts"
import { closePortal, type Page, page, Portal, type PortalOptions } from "../../session/request/portal.ts"
import { type Request, withExchange } from "../../session/request/request.ts"
import type { Restore } from "../../session/transaction/control.ts"
import { PLAIN_LEVEL, type TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import { LookAhead } from "./lookAhead.ts"
import { adaptiveSize, fixedSize, type PageSize } from "./pageSize.ts"
import type { Router } from "../router.ts"
import { decodeRows } from "../rowSchema.ts"
import { withTimeout } from "../../call/timeout.ts"
import type { Row, StreamOptions } from "../../call/call.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

export type StreamedStatement = Omit<PortalOptions<ObjectRow>, "form">

const MAX_FETCH_SIZE = 0x7fffffff

/** The most rows in a page if the program does not say how many. */
const MOST_ROWS = 10_000
/** A schema decodes a page at once, and nothing else runs meanwhile, so that its pages are smaller. */
const MOST_DECODED_ROWS = 1_000

/** Streams the rows of a statement. */
export const stream = (
  router: Router,
  statement: StreamedStatement,
  options: StreamOptions | undefined
): Stream.Stream<Row, PgError.PgError> =>
  streamOf(router, statement, options, MOST_ROWS, ({ rows }) => Effect.succeed(rows))

/** Streams the rows of a statement, decoded by a schema. */
export const decodedStream = <A, R>(
  router: Router,
  statement: StreamedStatement,
  options: StreamOptions | undefined,
  schema: Schema.ConstraintDecoder<A, R>
): Stream.Stream<A, PgError.PgError, R> =>
  streamOf(router, statement, options, MOST_DECODED_ROWS, ({ columns, rows }, { session }) =>
    decodeRows(schema, { answer: rows, columns, types: session.catalogue.types, sql: statement.sql })
  )

const streamOf = <A, R>(
  router: Router,
  statement: StreamedStatement,
  { fetchSize, timeout }: StreamOptions = {},
  mostRows: number,
  decode: (page: Page<Row>, level: TransactionLevel) => Effect.Effect<ReadonlyArray<A>, PgError.PgError, R>
): Stream.Stream<A, PgError.PgError, R> => {
  const fault = fetchSize === undefined ? undefined : faultOfCount("fetchSize", fetchSize)
  if (fault !== undefined) return Stream.fail(fault)
  return Stream.unwrap(
    Effect.map(
      opened(router, statement, () => sizeOf(fetchSize, mostRows), timeout),
      (reading) => {
        const next: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, PgError.PgError, void, R> = Effect.flatMap(
          withTimeout("stream", statement.sql, reading.next, timeout),
          (rows) =>
            Effect.flatMap(decode(rows, reading.level), (decoded) =>
              Arr.isReadonlyArrayNonEmpty(decoded) ? Effect.succeed(decoded) : Cause.done()
            )
        )
        return Stream.fromPull(Effect.succeed(next))
      }
    )
  )
}

const sizeOf = (fetchSize: number | undefined, mostRows: number): PageSize =>
  fetchSize === undefined ? adaptiveSize(mostRows) : fixedSize(fetchSize)

/** Opens the stream. One timeout covers both the wait for a connection and that for the first page. */
const opened = (
  router: Router,
  statement: StreamedStatement,
  size: () => PageSize,
  timeout: StreamOptions["timeout"]
): Effect.Effect<Reading, PgError.PgError, Scope.Scope> =>
  withTimeout("stream", statement.sql, read(router, { ...statement, form: (shape) => shape.object }, size), timeout)

export const faultOfCount = (setting: string, count: number): PgError.InvalidConfigError | undefined =>
  Number.isInteger(count) && count > 0 && count <= MAX_FETCH_SIZE
    ? undefined
    : new PgError.InvalidConfigError({ setting, reason: `must be a whole number from 1 to ${MAX_FETCH_SIZE}` })

// ------------------------------------------------------------------------------------------------------- reading

/** Opens a portal and asks for its first page. The end of the scope closes it and ends its own transaction. */
const read = (
  router: Router,
  options: PortalOptions<ObjectRow>,
  size: () => PageSize
): Effect.Effect<Reading, PgError.PgError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const outer = yield* restore(router.scopedLevel)
      let isOutOfDate = false
      const attempt = Effect.flatMap(ownTransaction(outer, restore), (own) => {
        const reading = new Reading(router, own ?? outer, own, options, size())
        return Effect.as(
          Effect.onExit(restore(reading.first), (exit) => {
            if (Exit.isSuccess(exit)) return Effect.void
            isOutOfDate = own !== undefined && reading.isOutOfDate
            return reading.close(exit)
          }),
          reading
        )
      })
      // If the portal could not be opened, the stream's own transaction has done nothing yet and can be begun again.
      const reading = yield* Effect.retry(attempt, { times: 1, while: () => isOutOfDate })
      yield* Effect.addFinalizer((exit) => reading.close(exit))
      return reading
    })
  )

/** Begins a transaction for a stream or a cursor. Undefined if there is a transaction already. */
export const ownTransaction = (outer: TransactionLevel, restore: Restore): Answer<TransactionLevel | undefined> =>
  outer.isTransaction || outer.isBegunInSql
    ? Effect.succeed(undefined)
    : outer.open({ ...PLAIN_LEVEL, forbids: inUse() }, restore)

/** Such a call is refused: if it waited for the end of the stream that its own fiber reads, it would wait forever. */
const inUse = (): PgError.UnsupportedError =>
  new PgError.UnsupportedError({
    feature: "a second statement on a connection that reads a stream or a cursor outside a transaction",
    instead: "run both inside withTransaction, or stream from a pool or a client",
    sql: ""
  })

/** The own transaction of a stream or a cursor, and the SQL that runs in it. */
export interface Own {
  readonly router: Router
  readonly operation: "stream" | "cursor"
  readonly sql: string
  readonly level: TransactionLevel
}

/**
 * Ends the own transaction of a stream or a cursor together with its scope. It is rolled back if the scope or a page
 * has failed. The wait for its turn to commit may take long. An interruption ends it, although a finalizer is otherwise
 * uninterruptible.
 */
export const endOwn = (own: Own, exit: Exit.Exit<unknown, unknown>, hasFailed: boolean): Effect.Effect<void> =>
  Exit.isSuccess(exit) && !hasFailed
    ? Effect.catch(own.level.commitByHand(Effect.interruptible), (error) => notCommitted(own, error))
    : Effect.ignore(own.level.rollbackByHand)

/**
 * Reports a COMMIT that failed at the end of a scope, which itself cannot fail. A statement that only reads has lost
 * nothing, so that the failure is only logged for debugging. Any other one is logged as an error and reported to the
 * observer.
 */
const notCommitted = ({ operation, router, sql }: Own, error: PgError.PgError): Effect.Effect<void> => {
  const what = `a ${operation} ended early, and the client could not commit its transaction`
  return READS.test(sql)
    ? Effect.logDebug(what, error)
    : Effect.andThen(
        Effect.ignore(router.observed(operation, { sql, params: undefined }, Effect.fail(error))),
        Effect.logError(`${what}; its changes are lost, unless the error says otherwise`, error)
      )
}

/** Matches a statement that only reads. It may still call a function that writes. */
const READS = /^\s*(?:SELECT|TABLE|VALUES|SHOW)\b/i

class Reading {
  readonly level: TransactionLevel
  private readonly router: Router
  private readonly own: TransactionLevel | undefined
  private readonly options: PortalOptions<ObjectRow>
  private readonly size: PageSize
  private readonly portal = new Portal()
  /** Takes the pages after the first one, if the transaction is the stream's own. */
  private readonly lookAhead: LookAhead | undefined
  /** The first page, until the reader takes it. */
  private waiting: Page<Row> | undefined
  private isLast = false
  private isOver = false
  private hasFailed = false

  constructor(
    router: Router,
    level: TransactionLevel,
    own: TransactionLevel | undefined,
    options: PortalOptions<ObjectRow>,
    size: PageSize
  ) {
    this.router = router
    this.level = level
    this.own = own
    this.options = options
    this.size = size
    this.lookAhead = own && new LookAhead(own, size, () => this.request)
  }

  get isOutOfDate(): boolean {
    return this.portal.isOutOfDate
  }

  /** Fetches the first page. Run this before `next`. */
  get first(): Answer<void> {
    return Effect.map(this.page(this.asked), (page) => {
      this.waiting = page
    })
  }

  readonly next: Pull.Pull<Page<Row>, PgError.PgError> = Effect.suspend(() => {
    const { waiting } = this
    this.waiting = undefined
    if (waiting !== undefined) return this.given(waiting)
    if (this.isLast) return this.end
    return Effect.flatMap(this.page(this.lookAhead?.next ?? this.asked), (page) => this.given(page))
  })

  private given(page: Page<Row>): Pull.Pull<Page<Row>, PgError.PgError> {
    return page.rows.length === 0 ? this.end : Effect.succeed(page)
  }

  private get request(): Request<Page<Row>> {
    return page(this.portal, this.options, this.size.rows)
  }

  /** Takes a page, and reports to the observer how long the reader waited for it. */
  private page(answer: Answer<Page<Row>>): Answer<Page<Row>> {
    return this.router.observed("stream", this.options, answer, undefined, this.level).pipe(
      // A page that timed out was interrupted, and its transaction can no longer be committed.
      Effect.onError(() => Effect.sync(() => (this.hasFailed = true))),
      Effect.map((page) => {
        this.isLast = page.isLast
        // COMMIT closes it if the transaction is the stream's own.
        if (page.isLast && this.own === undefined) this.closePortal()
        return page
      })
    )
  }

  /**
   * Asks for a page on the innermost open level. If it ran on the level of the stream, a reader inside of a savepoint
   * would wait forever: the page would wait for the end of the savepoint, and the savepoint for its reader. If the
   * innermost level ends before the request is made, the request runs on the next one.
   */
  private readonly asked: Answer<Page<Row>> = Effect.suspend(() => {
    const at = this.level.innermost
    const { request } = this
    let isAsked = false
    const noting = withExchange<Page<Row>>(request, (session, resume) => {
      isAsked = true
      return request.exchange(session, resume)
    })
    const answer = Effect.map(at.run(noting), (page) => {
      this.size.learn(page.rows.length, page.bytes)
      return page
    })
    return Effect.catch(answer, (error) =>
      isAsked || at === this.level || !at.isOver || this.level.isOver ? Effect.fail(error) : this.asked
    )
  })

  /** Ends the stream after its last row. If its own transaction cannot be committed, the stream fails. */
  private get end(): Pull.Pull<never, PgError.PgError> {
    return Effect.suspend(() => {
      const { lookAhead, own } = this
      this.isOver = true
      if (own === undefined) return Cause.done()
      // What may still be under way was asked for behind the last row.
      return Effect.andThen(lookAhead?.isUnderWay === true ? own.commitBehind : own.commitByHand(), Cause.done())
    })
  }

  private closePortal(): void {
    this.level.post(closePortal(this.portal))
  }

  /** Ends a stream early. Nothing is canceled, unless a page that was asked for ahead does not come soon. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver) return Effect.void
      this.isOver = true
      const { hasFailed, lookAhead, options, own, router } = this
      if (own === undefined || lookAhead === undefined) {
        if (!this.isLast) this.closePortal()
        return Effect.void
      }
      return Effect.flatMap(lookAhead.settled, (isSound) =>
        isSound || Exit.isFailure(exit)
          ? endOwn({ router, operation: "stream", sql: options.sql, level: own }, exit, hasFailed)
          : Effect.andThen(Effect.ignore(own.rollbackByHand), NOT_READ)
      )
    })
  }
}

/** The transaction had not written anything when the stream began to look ahead, so that nothing is lost. */
const NOT_READ = Effect.logDebug(
  "a stream ended early, and a page that it had asked for ahead was slow or failed, so that its transaction was rolled back"
)
