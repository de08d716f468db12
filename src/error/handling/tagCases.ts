/** The types of `PgError.catchTags`: what it takes, and what remains of the errors. */
import type * as Effect from "effect/Effect"
import type * as Types from "effect/Types"
import type { PostgresError } from "../postgresError.ts"
import type { OpenTag } from "../taggedError.ts"

/** The tags of the errors in a union, each of which a handler can name. */
export type TagsOf<E> = Exclude<Types.Tags<E>, OpenTag>

/** The errors of a union that have one of the tags. */
export type Tagged<E, Tag extends string> =
  E extends PostgresError<infer Tags> ? (Tag extends Tags ? PostgresError<Tag> : never) : Types.ExtractTag<E, Tag>

/** A handler for each tag that is to be caught. */
export type TagHandlers<E> = {
  readonly [Tag in TagsOf<E>]?: (error: Tagged<E, Tag>) => Effect.Effect<unknown, unknown, unknown>
}

/** Refuses a key that is no tag, with words that the compiler prints. */
export type OnlyTags<E, Cases> = unknown extends E
  ? unknown
  : { readonly [Key in Exclude<keyof Cases, TagsOf<E>>]: `no error here has the tag ${Key & string}` }

/** The effects that the handlers return. */
export type Handled<Cases> = Cases[keyof Cases] extends ((error: never) => infer Returned) | undefined
  ? Returned
  : never

/** The errors that remain: `PgError` as a whole, since it has many more tags. */
export type Unhandled<E, Cases> = Exclude<E, { readonly _tag: keyof Cases }>
