/** The connection of Kysely: runs queries, streams rows, and begins and ends transactions. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AbortableOperationOptions, CompiledQuery, DatabaseConnection, QueryResult } from "kysely"
import type { TransactionOptions } from "../connection/queryable/queryable.ts"
import { levelSource, Router } from "../connection/router.ts"
import { begin, type Begun } from "../connection/transaction.ts"
import * as PgError from "../PgError.ts"
import * as Request from "../session/request/request.ts"
import type { TransactionLevel } from "../session/transaction/transactionLevel.ts"
import { typedStream } from "../sqlClient/typedCall.ts"
import { quoteName } from "../wire/sqlText.ts"
import { callerOf } from "./callers.ts"
import type { Promises } from "./promises.ts"
import { answerOf, noRows } from "./query.ts"

export interface ConnectionOptions {
  readonly promises: Promises
  readonly context: Context.Context<never>
  readonly router: Router
}

/** A session that a connection has to itself, or the transaction of the fiber that has made the Kysely. */
export interface Held {
  readonly scope: Scope.Closeable
  readonly level: TransactionLevel
}

interface OpenTransaction {
  readonly begun: Begun
  readonly scope: Scope.Closeable
  readonly outside: Router
}

export class KyselyConnection implements DatabaseConnection {
  readonly #promises: Promises
  readonly #context: Context.Context<never>
  readonly #held: Held | undefined
  /** Where queries run now. */
  #router: Router
  #transaction: OpenTransaction | undefined
  #running: Fiber.Fiber<unknown, unknown> | undefined

  /** Without a session of its own, a connection runs each query where the fiber's calls go. */
  constructor({ context, promises, router }: ConnectionOptions, held?: Held) {
    this.#promises = promises
    this.#context = context
    this.#router = held === undefined ? router : on(held.level, router)
    this.#held = held
  }

  // ------------------------------------------------------------------------------------------------- queries

  async executeQuery<R>(query: CompiledQuery, options?: AbortableOperationOptions): Promise<QueryResult<R>> {
    const answer = await this.#promises.run(answerOf(this.#router, query), {
      context: this.#context,
      // The signal of a program only ends Kysely's wait: whether the query is canceled too is said by its strategy.
      signal: callerOf(options?.signal) && options?.signal,
      whenInterrupted: noRows,
      onStart: (fiber) => {
        this.#running = fiber
      }
    })
    return typedAs<R>(answer)
  }

  async *streamQuery<R>(
    query: CompiledQuery,
    chunkSize: number,
    options?: AbortableOperationOptions
  ): AsyncIterableIterator<QueryResult<R>> {
    const scope = Scope.forkUnsafe(this.#held?.scope ?? this.#promises.scope)
    let exit: Exit.Exit<void, unknown> = Exit.void
    try {
      const rows = typedStream(this.#router, query.sql, query.parameters, { fetchSize: chunkSize })
      const pull = await this.#run(Scope.provide(Stream.toPull(rows), scope))
      const next = Pull.catchDone(pull, () => Effect.undefined)
      const { signal } = options ?? {}
      for (;;) {
        const page = await this.#promises.run(next, {
          context: this.#context,
          signal,
          whenInterrupted: () => undefined
        })
        if (page === undefined) return
        yield typedAs<R>({ rows: [...page] })
      }
    } catch (error) {
      exit = Exit.fail(error)
      throw error
    } finally {
      await this.#closeReading(scope, exit, options?.signal)
    }
  }

  // ------------------------------------------------------------------------------------------------- transactions

  /** Begins a transaction. It is a savepoint if the Kysely was made within a transaction of effectpg. */
  async begin(options: TransactionOptions): Promise<void> {
    const scope = Scope.forkUnsafe(this.#held?.scope ?? this.#promises.scope)
    const outside = this.#router
    try {
      const begun = await this.#run(Scope.provide(begin(outside, options), scope))
      this.#router = on(begun.level, outside)
      this.#transaction = { begun, scope, outside }
    } catch (error) {
      await this.#close(scope)
      throw error
    }
  }

  commit(): Promise<void> {
    return this.#end(async ({ begun }) => {
      try {
        await this.#run(begun.ended(begun.level.commitByHand()))
      } catch (error) {
        throw error instanceof PgError.TransactionRolledBackError ? asAborted(error) : error
      }
    })
  }

  /**
   * Closes the scope of the transaction, which rolls it back. It never fails, because Kysely would report that instead of
   * the error for which it rolls back.
   */
  rollback(): Promise<void> {
    return this.#end(() => Promise.resolve())
  }

  savepoint(name: string): Promise<void> {
    return this.#control(`SAVEPOINT ${quoteName(name)}`)
  }

  rollbackTo(name: string): Promise<void> {
    return this.#control(`ROLLBACK TO SAVEPOINT ${quoteName(name)}`)
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#control(`RELEASE SAVEPOINT ${quoteName(name)}`)
  }

  async #end(ending: (transaction: OpenTransaction) => Promise<void>): Promise<void> {
    const transaction = this.#transaction
    if (transaction === undefined) return
    this.#transaction = undefined
    this.#router = transaction.outside
    try {
      await ending(transaction)
    } finally {
      await this.#close(transaction.scope)
    }
  }

  async #control(sql: string): Promise<void> {
    await this.#run(this.#router.run("executeScript", Request.script(sql), undefined))
  }

  // ------------------------------------------------------------------------------------------------- the end

  async cancelQuery(): Promise<void> {
    if (this.#running !== undefined) await this.#finish(Fiber.interrupt(this.#running))
  }

  /** Cancels the query, since a server does not look for lost connections while it works, and closes the session. */
  async killSession(): Promise<void> {
    await this.cancelQuery()
    this.#held?.level.session.close()
  }

  /** Gives the session back. */
  async release(): Promise<void> {
    if (this.#held !== undefined) await this.#close(this.#held.scope)
  }

  #close(scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown> = Exit.void): Promise<void> {
    return this.#finish(Scope.close(scope, exit))
  }

  /** Closes the scope of a stream. A reader that has gone does not wait for the answer to its COMMIT. */
  async #closeReading(
    scope: Scope.Closeable,
    exit: Exit.Exit<unknown, unknown>,
    signal: AbortSignal | undefined
  ): Promise<void> {
    if (signal === undefined || signal.aborted) {
      return this.#close(scope, signal === undefined ? exit : Exit.interrupt())
    }
    const close = Effect.uninterruptible(Scope.close(scope, exit))
    await Effect.runPromiseExit(Effect.provideContext(close, this.#context), { signal })
  }

  #run<A>(effect: Effect.Effect<A, PgError.PgError>): Promise<A> {
    return this.#promises.run(effect, { context: this.#context })
  }

  /** Runs what has to be done also after the end of the Kysely. */
  #finish(effect: Effect.Effect<void>): Promise<void> {
    return Effect.runPromiseWith(this.#context)(effect)
  }
}

/** A router to a level, whatever transaction the context is in. */
const on = (level: TransactionLevel, { observer }: Router): Router =>
  new Router(levelSource(level), undefined, observer)

/** Kysely gives the rows the type that it has derived from the query. */
const typedAs = <R>(answer: QueryResult<object>): QueryResult<R> => answer as QueryResult<R>

/** By this key Kysely recognizes that the server has rolled back instead of committing. */
const ABORTED = Symbol.for("kysely.AbortedTransactionError")

const asAborted = (error: PgError.TransactionRolledBackError): PgError.TransactionRolledBackError =>
  Object.defineProperty(error, ABORTED, { value: true })
