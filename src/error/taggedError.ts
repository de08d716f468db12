/** The base class of the client's errors. */
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import { renderSql } from "./report.ts"

/** A tagged error that `inspect` prints like any other error; Effect's own tagged errors print only their fields. */
export const TaggedError = <Tag extends string>(tag: Tag) => {
  const Base = Data.TaggedError(tag)
  Object.defineProperty(Base.prototype, Inspectable.NodeInspectSymbol, {
    value(this: Error & { readonly sql?: string }) {
      return this.sql === undefined ? this.stack : `${this.stack}\n${renderSql(this.sql)}`
    }
  })
  return Base
}
