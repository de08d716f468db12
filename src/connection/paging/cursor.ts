/**
 * Opens cursors. A cursor that only moves forward, within a transaction, reads a portal. Any other cursor is declared
 * and moved by SQL.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as PgError from "../../PgError.ts"
import type { CursorOptions, PgCursor, ScrollCursor } from "../../PgCursor.ts"
import { OwnStatement } from "../../session/statement/heldStatement.ts"
import { closePortal, openPortal, page, Portal } from "../../session/request/portal.ts"
import * as Request from "../../session/request/request.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import type { Router } from "../router.ts"
import { endOwn, faultOfCount, ownTransaction, type StreamedStatement } from "./stream.ts"
import { withTimeout } from "../../call/timeout.ts"
import type { Row } from "../../call/call.ts"

type Answer<A> = Effect.Effect<A, PgError.PgError>

/** Runs a request on the session of the cursor. */
type Run = <A>(request: Request.Request<A>) => Answer<A>

/** What a new cursor needs. A declared cursor takes only the name of the portal. */
interface Opening {
  /** The level on which the cursor was opened. */
  readonly made: TransactionLevel
  readonly run: Run
  readonly portal: Portal
}

/** Opens a cursor that moves forward. */
export const cursor = (
  router: Router,
  statement: StreamedStatement,
  { hold = false, timeout }: CursorOptions
): Effect.Effect<PgCursor, PgError.PgError, Scope.Scope> =>
  hold
    ? declared(router, statement, { hold, scroll: false, timeout })
    : opened(router, statement.sql, { hold, timeout }, ({ portal, run }) => {
        const whole = { ...statement, form: Request.objects }
        return Effect.as(run(openPortal(portal, whole)), new PortalCursor(run, portal, whole))
      })

/** Opens a cursor that moves in both directions. */
export const scrollCursor = (
  router: Router,
  statement: StreamedStatement,
  { hold = false, timeout }: CursorOptions
): Effect.Effect<ScrollCursor, PgError.PgError, Scope.Scope> =>
  declared(router, statement, { hold, scroll: true, timeout })

const declared = (
  router: Router,
  { params, sql }: StreamedStatement,
  { hold, scroll, timeout }: Bounds & { readonly scroll: boolean }
): Effect.Effect<ScrollCursor, PgError.PgError, Scope.Scope> =>
  opened(router, sql, { hold, timeout }, ({ made, portal, run }) => {
    const mode = `${scroll ? "SCROLL" : "NO SCROLL"} CURSOR ${hold ? "WITH HOLD " : ""}`
    const declaration = Request.command(`DECLARE ${portal.name} ${mode}FOR ${sql}`, params)
    const moved = new DeclaredCursor(run, portal.name, made)
    const closing = Effect.addFinalizer(() => Effect.sync(() => moved.close()))
    return Effect.as(Effect.andThen(closing, run(declaration.with(unnamed(made)))), moved)
  })

/** A statement that runs only once is not worth a name on the server. */
const unnamed = ({ session }: TransactionLevel): OwnStatement => new OwnStatement(session.statements, "")

/** Finds or begins the transaction of a cursor. With `hold` a cursor needs none. */
const opened = <A>(
  router: Router,
  sql: string,
  bounds: Bounds,
  open: (opening: Opening) => Effect.Effect<A, PgError.PgError, Scope.Scope>
): Effect.Effect<A, PgError.PgError, Scope.Scope> =>
  withTimeout("cursor", sql, openedInTime(router, sql, bounds, open), bounds.timeout)

/** How long a cursor lives, and how long each of its calls may take. */
interface Bounds {
  readonly hold: boolean
  readonly timeout: CursorOptions["timeout"]
}

const openedInTime = <A>(
  router: Router,
  sql: string,
  bounds: Bounds,
  open: (opening: Opening) => Effect.Effect<A, PgError.PgError, Scope.Scope>
): Effect.Effect<A, PgError.PgError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const outer = yield* restore(router.scopedLevel)
      let isOutOfDate = false
      const attempt = Effect.gen(function* () {
        const own = bounds.hold ? undefined : yield* ownTransaction(outer, restore)
        const portal = new Portal()
        const opening = yield* openingOn(router, sql, { made: own ?? outer, own, portal, timeout: bounds.timeout })
        return yield* Effect.onError(restore(open(opening)), () =>
          Effect.sync(() => (isOutOfDate = own !== undefined && portal.isOutOfDate))
        )
      })
      // If the portal could not be opened, the cursor's own transaction has done nothing yet and can be begun again.
      return yield* Effect.retry(closedOnFailure(attempt), { times: 1, while: () => isOutOfDate })
    })
  )

/** If the cursor cannot be opened, closes at once what has been opened for it. */
const closedOnFailure = <A>(
  opening: Effect.Effect<A, PgError.PgError, Scope.Scope>
): Effect.Effect<A, PgError.PgError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Scope.Scope)
    return yield* Effect.onExit(Scope.provide(opening, scope), (exit) =>
      Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void
    )
  })

interface Ground extends Pick<Opening, "made" | "portal">, Pick<Bounds, "timeout"> {
  /** The cursor's own transaction, if it has one. */
  readonly own: TransactionLevel | undefined
}

/** Prepares a cursor that is closed with the scope. */
const openingOn = (
  router: Router,
  sql: string,
  { made, own, portal, timeout }: Ground
): Effect.Effect<Opening, never, Scope.Scope> =>
  Effect.gen(function* () {
    let hasFailed = false
    if (own !== undefined) {
      const ending = { router, operation: "cursor", sql, level: own } as const
      yield* Effect.addFinalizer((exit) => endOwn(ending, exit, hasFailed))
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => made.surviving.post(closePortal(portal))))
    const level = own === undefined ? router.levelFrom(made) : Effect.succeed(own)
    const run: Run = (request) => {
      const answer = Effect.flatMap(level, (at) => at.run(request))
      const inTime = withTimeout(
        "cursor",
        request.sql,
        router.observed("cursor", request, answer, undefined, own ?? made),
        timeout
      )
      return Effect.onError(inTime, () => Effect.sync(() => (hasFailed = true)))
    }
    return { made, portal, run }
  })

/** Refuses a number of rows that is not a positive whole number. */
const counted = <A>(count: number, use: () => Answer<A>): Answer<A> => {
  const fault = faultOfCount("count", count)
  return fault === undefined ? Effect.suspend(use) : Effect.fail(fault)
}

const firstOf = (rows: ReadonlyArray<Row>): Option.Option<Row> => Option.fromUndefinedOr(rows[0])

/** Moves a cursor or portal and returns over how many rows it went. */
const move = (run: Run, direction: string, name: string): Answer<number> =>
  Effect.map(run(Request.script(`MOVE ${direction} FROM ${name}`)), (tags) => tags.at(-1)?.rowCount ?? 0)

class PortalCursor extends Inspectable.Class implements PgCursor {
  readonly #run: Run
  readonly #portal: Portal
  readonly #options: Parameters<typeof openPortal<Row>>[1]
  /** If two pages were asked for at a time, the second could not know that the first has reached the end. */
  readonly #oneAtATime = Semaphore.makeUnsafe(1)
  #isExhausted = false

  constructor(run: Run, portal: Portal, options: Parameters<typeof openPortal<Row>>[1]) {
    super()
    this.#run = run
    this.#portal = portal
    this.#options = options
  }

  toJSON(): unknown {
    return { _id: "effectpg/PgCursor", name: this.#portal.name, sql: this.#options.sql, isExhausted: this.#isExhausted }
  }

  fetch(count: number): Answer<ReadonlyArray<Row>> {
    return counted(count, () => this.#oneAtATime.withPermit(this.page(count)))
  }

  readonly fetchRow: Answer<Option.Option<Row>> = Effect.suspend(() => Effect.map(this.fetch(1), firstOf))

  forward(count: number): Answer<number> {
    return counted(count, () =>
      this.#oneAtATime.withPermit(
        Effect.suspend(() =>
          this.#isExhausted ? Effect.succeed(0) : move(this.#run, `FORWARD ${count}`, this.#portal.name)
        )
      )
    )
  }

  /** Fetches a page. After the last one the portal is closed, because the server would refuse to run it again. */
  private page(count: number): Answer<ReadonlyArray<Row>> {
    return Effect.suspend(() => {
      if (this.#isExhausted) return Effect.succeed([])
      return Effect.flatMap(this.#run(page(this.#portal, this.#options, count)), ({ isLast, rows }) => {
        if (!isLast) return Effect.succeed(rows)
        this.#isExhausted = true
        return Effect.as(this.#run(closePortal(this.#portal)), rows)
      })
    })
  }
}

class DeclaredCursor extends Inspectable.Class implements ScrollCursor {
  readonly #run: Run
  readonly #name: string
  readonly #made: TransactionLevel
  /** The last FETCH, kept prepared because the next one is likely to have the same text. */
  #newest: { readonly sql: string; readonly statement: OwnStatement } | undefined

  constructor(run: Run, name: string, made: TransactionLevel) {
    super()
    this.#run = run
    this.#name = name
    this.#made = made
  }

  toJSON(): unknown {
    return { _id: "effectpg/ScrollCursor", name: this.#name }
  }

  fetch(count: number): Answer<ReadonlyArray<Row>> {
    return counted(count, () => this.rows(`FORWARD ${count}`))
  }

  forward(count: number): Answer<number> {
    return counted(count, () => move(this.#run, `FORWARD ${count}`, this.#name))
  }

  backward(count: number): Answer<number> {
    return counted(count, () => move(this.#run, `BACKWARD ${count}`, this.#name))
  }

  absolute(position: number): Answer<Option.Option<Row>> {
    return Number.isInteger(position) && Math.abs(position) <= MAX_POSITION
      ? this.row(`ABSOLUTE ${position}`)
      : Effect.fail(
          new PgError.InvalidConfigError({
            setting: "position",
            reason: `must be a whole number from -${MAX_POSITION} to ${MAX_POSITION}`
          })
        )
  }

  readonly fetchRow: Answer<Option.Option<Row>> = Effect.suspend(() => this.row("NEXT"))
  readonly first: Answer<Option.Option<Row>> = Effect.suspend(() => this.row("FIRST"))
  readonly last: Answer<Option.Option<Row>> = Effect.suspend(() => this.row("LAST"))

  private row(direction: string): Answer<Option.Option<Row>> {
    return Effect.map(this.rows(direction), firstOf)
  }

  private rows(direction: string): Answer<ReadonlyArray<Row>> {
    return Effect.suspend(() => {
      const sql = `FETCH ${direction} FROM ${this.#name}`
      return this.#run(Request.rows(sql, []).with(this.statementFor(sql)))
    })
  }

  private statementFor(sql: string): OwnStatement {
    if (this.#newest?.sql === sql) return this.#newest.statement
    const { statements } = this.#made.session
    this.#newest?.statement.close()
    // The columns of a declared cursor never change.
    this.#newest = { sql, statement: new OwnStatement(statements, statements.ownName(), "planned") }
    return this.#newest.statement
  }

  /** Closes the prepared FETCH. */
  close(): void {
    this.#newest?.statement.close()
  }
}

const MAX_POSITION = 0x7fffffff
