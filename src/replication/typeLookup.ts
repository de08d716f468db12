/**
 * Asks the database about types and values on a normal connection, because a replication session cannot. For types it is
 * opened for a moment. For values without a codec it stays open, because every row may have some.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { passed } from "../call/realTime.ts"
import { type ColumnNames, camelCase, unchanged } from "../codec/columnNames.ts"
import { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { ResolvedConfig } from "../PgConfig.ts"
import type * as PgError from "../PgError.ts"
import { wellFormed } from "../session/engine/lostErrors.ts"
import type { Session } from "../session/engine/session.ts"
import { connect } from "../session/opening/connect.ts"
import type { BinaryValue } from "../session/exchange/unreadRows.ts"
import { SNAPSHOT_QUERY } from "../session/replication/commands.ts"
import { textForms } from "../session/replication/textForm.ts"
import { textRows } from "../session/replication/textRows.ts"
import { ownTupleRows, send } from "../session/request/request.ts"
import { readDescriptions, typeQuery } from "../session/types/typeQuery.ts"

/** How long to wait before a transaction is looked at again that is committed and not yet visible. */
const WAIT_MILLIS = 100

export class StreamTypes {
  types: DatabaseTypes
  readonly names: ColumnNames
  private readonly config: ResolvedConfig
  /** Types that the server does not have any more. */
  private readonly dropped = new Set<number>()
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

  /** Those types that have to be looked up. */
  unknownAmong(oids: ReadonlyArray<number>): ReadonlyArray<number> {
    return this.types.unknownAmong(oids).filter((oid) => !this.dropped.has(oid))
  }

  /**
   * Looks these types up. If they are outdated, everything that is known of the database's types is dropped first. The
   * server may send the changes of a transaction, `xid`, before others see what it has made.
   */
  lookUp(
    oids: ReadonlyArray<number>,
    isOutdated: boolean,
    xid: number | undefined
  ): Effect.Effect<void, PgError.PgError> {
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const session = yield* connect(this.config)
        while (true) {
          const [seen] = xid === undefined ? [] : yield* textRows(session, SNAPSHOT_QUERY)
          const rows = yield* send(session, ownTupleRows(typeQuery(session.parameters), [oids]))
          const descriptions = yield* wellFormed(() => readDescriptions(rows))
          const types = isOutdated ? new DatabaseTypes(this.config.types) : this.types
          types.add(descriptions)
          const missing = types.unknownAmong(oids)
          if (missing.length > 0 && xid !== undefined && !isVisible(xid, seen?.["snapshot"] ?? "")) {
            yield* passed(WAIT_MILLIS)
            continue
          }
          this.types = types
          if (isOutdated) this.dropped.clear()
          for (const oid of missing) this.dropped.add(oid)
          return
        }
      })
    )
  }
}

/** Whether a snapshot, `xmin:xmax:xip,xip...`, shows what a transaction has made. `xid` has the last 32 bits of its ID. */
export const isVisible = (xid: number, snapshot: string): boolean => {
  const [, end = "0", running = ""] = snapshot.split(":")
  // IDs go around, so the difference says which one is later.
  if (((xid - last32Bits(end)) | 0) >= 0) return false
  return running === "" || !running.split(",").some((id) => last32Bits(id) === xid)
}

const last32Bits = (id: string): number => Number(BigInt.asUintN(32, BigInt(id)))
