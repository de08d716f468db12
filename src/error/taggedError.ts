/** What the errors of the client are made from. */
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import { renderSql } from "./report.ts"

/** A tagged error that `inspect` prints as it prints every error, where Effect's own print their fields only. */
export const TaggedError = <Tag extends string>(tag: Tag) => {
  const Base = Data.TaggedError(tag)
  Object.defineProperty(Base.prototype, Inspectable.NodeInspectSymbol, {
    value(this: Error & { readonly sql?: string }) {
      return this.sql === undefined ? this.stack : `${this.stack}\n${renderSql(this.sql)}`
    }
  })
  return Base
}
