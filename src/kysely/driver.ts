/** The driver of Kysely: lends connections, on the pool of a client or in the transaction of a fiber. */
import type * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { AbortableOperationOptions, DatabaseConnection, Driver, TransactionSettings } from "kysely"
import type { Router } from "../connection/router.ts"
import * as PgError from "../PgError.ts"
import { callerOf } from "./callers.ts"
import { KyselyConnection } from "./connection.ts"
import type { Promises } from "./promises.ts"

export class KyselyDriver implements Driver {
  readonly #router: Router
  readonly #promises: Promises
  readonly #context: Context.Context<never>

  /** `context` is that of the fiber for which all is run that no other fiber asks for. */
  constructor(router: Router, promises: Promises, context: Context.Context<never>) {
    this.#router = router
    this.#promises = promises
    this.#context = context
  }

  async init(): Promise<void> {}

  async acquireConnection(options?: AbortableOperationOptions): Promise<DatabaseConnection> {
    const caller = callerOf(options?.signal)
    const promises = this.#promises
    const place = { context: caller?.context ?? this.#context, promises, router: this.#router }
    if (caller?.isSingle === true) return new KyselyConnection(place)
    const scope = Scope.forkUnsafe(promises.scope)
    try {
      const level = await promises.run(Scope.provide(this.#router.scopedLevel, scope), {
        context: place.context,
        signal: options?.signal,
        whenInterrupted: () => undefined
      })
      // If the caller has given up the wait, Kysely takes this connection only to release it.
      return new KyselyConnection(place, level && { level, scope })
    } catch (error) {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      throw error
    }
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const { accessMode: access, isolationLevel: isolation } = settings
    if (isolation === "snapshot") throw noSnapshot()
    await ours(connection).begin({ access, isolation })
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await ours(connection).commit()
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await ours(connection).rollback()
  }

  async savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await ours(connection).savepoint(name)
  }

  async rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await ours(connection).rollbackTo(name)
  }

  async releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    await ours(connection).releaseSavepoint(name)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    await ours(connection).release()
  }

  /** Leaves the pool open: it belongs to the client. */
  async destroy(): Promise<void> {
    await Effect.runPromise(this.#promises.end)
  }
}

const ours = (connection: DatabaseConnection): KyselyConnection => {
  if (connection instanceof KyselyConnection) return connection
  throw new PgError.InvalidConfigError({ setting: "connection", reason: "is not one of effectpg" })
}

const noSnapshot = (): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({
    setting: "isolation",
    reason: 'PostgreSQL has no "snapshot"; its "repeatable read" is a snapshot'
  })
