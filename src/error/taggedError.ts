/** The base class of the client's errors. */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import type * as Types from "effect/Types"
import { renderSql } from "./report.ts"

/**
 * No error has such a tag. It stands beside the tag of each client error so that `Effect.catchTag`, which removes an
 * error whose tag can only be the caught one, leaves `PgError` whole: an inferred type then reads `Conflict | PgError`
 * instead of naming every other error.
 */
export type OpenTag = `PgError ${string}`

/** The class that `TaggedError` makes for one tag. */
export type TaggedErrorClass<Tag extends string> = new <Fields extends Record<string, unknown> = {}>(
  fields: Types.VoidIfEmpty<{ readonly [Name in keyof Fields]: Fields[Name] }>
) => Cause.YieldableError & { readonly _tag: Tag | OpenTag } & Readonly<Fields>

/** A tagged error that `inspect` prints like any other error; Effect's own tagged errors print only their fields. */
export const TaggedError = <Tag extends string>(tag: Tag): TaggedErrorClass<Tag> => {
  const Base = Data.TaggedError(tag)
  Object.defineProperty(Base.prototype, Inspectable.NodeInspectSymbol, {
    value(this: Error & { readonly sql?: string }) {
      return this.sql === undefined ? this.stack : `${this.stack}\n${renderSql(this.sql)}`
    }
  })
  // The compiler does not compare generic constructors by the tag alone.
  return Base as TaggedErrorClass<Tag>
}
