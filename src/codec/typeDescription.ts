/** Describes the types in a server's catalog as plain data, and lists the types that each consists of. */

interface Common {
  readonly oid: number
  readonly schema: string
  readonly name: string
}

export type TypeDescription =
  | (Common & { readonly kind: "array"; readonly element: number; readonly delimiter: string })
  | (Common & { readonly kind: "base"; readonly isTextual: boolean })
  | (Common & { readonly kind: "composite"; readonly attributes: ReadonlyArray<AttributeDescription> })
  | (Common & { readonly kind: "domain"; readonly base: number })
  | (Common & { readonly kind: "enum" })
  | (Common & { readonly kind: "multirange"; readonly range: number })
  | (Common & { readonly kind: "range"; readonly subtype: number })

export interface AttributeDescription {
  readonly name: string
  readonly oid: number
}
