/** Looks up types of the database on a normal connection, because a replication session cannot. */
import * as Effect from "effect/Effect"
import { type ColumnNames, camelCase, unchanged } from "../codec/columnNames.ts"
import { DatabaseTypes } from "../codec/databaseTypes.ts"
import type { ResolvedConfig } from "../PgConfig.ts"
import type * as PgError from "../PgError.ts"
import { connect } from "../session/opening/connect.ts"
import { ownTupleRows, send } from "../session/request/request.ts"
import { readDescriptions, typeQuery } from "../session/types/typeQuery.ts"

export class StreamTypes {
  types: DatabaseTypes
  readonly names: ColumnNames
  private readonly config: ResolvedConfig

  constructor(config: ResolvedConfig) {
    this.config = config
    this.types = new DatabaseTypes(config.types)
    this.names = config.names === "camelCase" ? camelCase : unchanged
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
