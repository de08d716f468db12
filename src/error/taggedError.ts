/** The base class of the client's errors. */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import type * as Types from "effect/Types"
import { callerFrames } from "./callerFrames.ts"
import { type ClientReported, renderClientError } from "./report.ts"

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

/**
 * A tagged error that shows what it is about instead of the frames of the client: its message, what to do, the
 * statement, and the lines of the program that made the call, if the stack has them.
 */
export const TaggedError = <Tag extends string>(tag: Tag): TaggedErrorClass<Tag> => {
  class Reported extends Data.TaggedError(tag)<Omit<ClientReported, "name">> {
    constructor(fields: Omit<ClientReported, "name">) {
      super(fields)
      const captured: { stack?: string } = {}
      Error.captureStackTrace(captured, new.target)
      let text: string | undefined
      // V8 makes the text of a stack when it is first read, which for many errors is never.
      Object.defineProperty(this, "stack", {
        configurable: true,
        enumerable: false,
        get: () => (text ??= [this.toString(), ...callerFrames(captured.stack)].join("\n")),
        set: (given: string | undefined) => {
          text = given
        }
      })
    }

    override toString(): string {
      return renderClientError(this)
    }

    override [Inspectable.NodeInspectSymbol](): string | undefined {
      return this.stack
    }
  }
  // The compiler does not compare generic constructors by the tag alone.
  return Reported as TaggedErrorClass<Tag>
}
