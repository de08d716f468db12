/**
 * Asks the database about types and values on a normal connection, because a replication session cannot. For types it is
 * opened for a moment. For values without a codec it stays open, because every row may have some.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type ColumnNames, camelCase, unchanged } from "../codec/columnNames.ts"
import { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { ResolvedConfig } from "../PgConfig.ts"
import type * as PgError from "../PgError.ts"
import type { Session } from "../session/engine/session.ts"
import { connect } from "../session/opening/connect.ts"
import type { BinaryValue } from "../session/exchange/unreadRows.ts"
import { textForms } from "../session/replication/textForm.ts"
import { ownTupleRows, send } from "../session/request/request.ts"
import { readDescriptions, typeQuery } from "../session/types/typeQuery.ts"

export class StreamTypes {
  types: DatabaseTypes
  readonly names: ColumnNames
  private readonly config: ResolvedConfig
  private opened: { readonly session: Session; readonly close: Effect.Effect<void> } | undefined

  constructor(config: ResolvedConfig) {
    this.config = config
    this.types = new DatabaseTypes(config.types)
    this.names = config.names === "camelCase" ? camelCase : unchanged
  }

  /** Has the server turn values into texts. */
  textsOf(values: ReadonlyArray<BinaryValue>): Effect.Effect<ReadonlyArray<string>, PgError.PgError> {
    return Effect.flatMap(this.valueSession, (session) => textForms(session, values))
  }

  private get valueSession(): Effect.Effect<Session, PgError.PgError> {
    return Effect.suspend(() => {
      const { opened } = this
      if (opened !== undefined && opened.session.lost === undefined) return Effect.succeed(opened.session)
      return Effect.uninterruptibleMask((restore) =>
        Effect.gen({ self: this }, function* () {
          yield* this.close
          const scope = yield* Scope.make()
          const session = yield* restore(Scope.provide(connect(this.config), scope)).pipe(
            Effect.onError(() => Scope.close(scope, Exit.void))
          )
          this.opened = { session, close: Scope.close(scope, Exit.void) }
          return session
        })
      )
    })
  }

  /** Closes the connection, if there is one. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { opened } = this
      this.opened = undefined
      return opened === undefined ? Effect.void : opened.close
    })
  }

  /** Looks these types up. If they are outdated, everything that is known of the database's types is dropped first. */
  lookUp(oids: ReadonlyArray<number>, isOutdated: boolean): Effect.Effect<void, PgError.PgError> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const session = yield* connect(this.config)
        const rows = yield* send(session, ownTupleRows(typeQuery(session.parameters), [oids]))
        if (isOutdated) this.types = new DatabaseTypes(this.config.types)
        this.types.add(readDescriptions(rows))
      })
    )
  }
}
