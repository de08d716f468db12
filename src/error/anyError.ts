/** What all errors of effectpg have in common: their type, and how one is recognized. */
import * as ClientError from "./clientError.ts"
import * as ConnectionError from "./connectionError.ts"
import { isPostgresError, type PostgresError } from "./postgresError.ts"
import * as ReplicationError from "./replicationError.ts"

/**
 * Every error of effectpg: the server reports a `PostgresError`, the client raises the others.
 *
 * The type stays whole when a tag is caught, so that it reads `PgError` wherever it is inferred. To take it out of the
 * type, handle all of it: `PgError.catchAll`, `PgError.mapError` or `PgError.orDie`. For the same reason the tag of a
 * client error has a second form in its type, `PgError ${string}`, that no error has.
 *
 * @category errors
 * @since 0.1.0
 */
export type PgError = PostgresError | ClientError.ClientErrors

const clientErrors = [
  ...Object.values(ConnectionError),
  ...Object.values(ClientError),
  ...Object.values(ReplicationError)
]

/**
 * Tells whether a value is an error of effectpg.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPgError = (value: unknown): value is PgError => isPostgresError(value) || isClientError(value)

/** Inspecting a Proxy may throw, and then it is not one of our errors. */
const isClientError = (value: unknown): boolean => {
  try {
    return clientErrors.some((ClientError) => value instanceof ClientError)
  } catch {
    return false
  }
}
