/**
 * Decides whether a server has the role that `targetSessionAttrs` wants. Since version 14 a server reports what is needed
 * for that by itself; any other is asked:
 *
 * ```
 * Query  ->  RowDescription DataRow{0,1} CommandComplete ReadyForQuery
 * ```
 */
import * as Effect from "effect/Effect"
import { withoutPlace } from "../../error/connectPlace.ts"
import type { TargetSessionAttrs } from "../../PgConfig.ts"
import * as PgError from "../../PgError.ts"
import { Backend, TransactionStatus } from "../../wire/backendMessage.ts"
import { ByteWriter } from "../../wire/byteWriter.ts"
import { readCommandTag } from "../../wire/commandTag.ts"
import { writeQuery } from "../../wire/frontendEncoder.ts"
import { readParameterStatus } from "../engine/serverParameters.ts"
import type { Transport } from "../engine/transport.ts"
import type { Inbox } from "./startupInbox.ts"

/** What a session has to be. A preference is one of these in each pass over the hosts. */
export type Role = Exclude<TargetSessionAttrs, "prefer-standby">

/** Whether a session with that role is there to write. */
export const isForWriting = (role: Role): boolean => role === "read-write" || role === "primary"

const isOn = (parameters: ReadonlyMap<string, string>, name: string): boolean | undefined => {
  const value = parameters.get(name)
  return value === undefined ? undefined : value === "on"
}

/** Whether a session with these server parameters has the role; undefined if they do not tell. */
export const hasRole = (role: Role, parameters: ReadonlyMap<string, string>): boolean | undefined => {
  if (role === "any") return true
  const isStandby = isOn(parameters, "in_hot_standby")
  if (isStandby === undefined) return undefined
  if (role === "primary" || role === "standby") return isStandby === (role === "standby")
  const isReadOnly = isOn(parameters, "default_transaction_read_only")
  return isReadOnly === undefined ? undefined : (isStandby || isReadOnly) === (role === "read-only")
}

/** Returns one row if the session has the role, and none if it does not. */
export const questionOf = (role: Exclude<Role, "any">): string => {
  switch (role) {
    case "primary":
      return "SELECT 1 WHERE NOT pg_catalog.pg_is_in_recovery()"
    case "standby":
      return "SELECT 1 WHERE pg_catalog.pg_is_in_recovery()"
    case "read-write":
      return readOnlyIs("off")
    case "read-only":
      return readOnlyIs("on")
  }
}

const readOnlyIs = (value: "on" | "off"): string =>
  `SELECT 1 WHERE pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) '${value}'`

/** What a server is that does not have the role. */
export const misfitOf = (
  wanted: Role,
  setting: TargetSessionAttrs,
  parameters: ReadonlyMap<string, string>
): string => {
  const isStandby = isOn(parameters, "in_hot_standby") ?? wanted === "primary"
  const found =
    wanted === "read-write" && !isStandby
      ? "is read-only"
      : isStandby
        ? "is a standby"
        : "is a primary, which takes writes"
  return `${found}, but targetSessionAttrs is ${setting}`
}

/** Whether a session that has just been opened has the role. Asks the server if the session's parameters do not tell. */
export const checkRole = (
  role: Role,
  transport: Transport,
  inbox: Inbox,
  parameters: Map<string, string>
): Effect.Effect<boolean, PgError.PgError> => {
  const known = hasRole(role, parameters)
  if (known !== undefined || role === "any") return Effect.succeed(known ?? true)
  return Effect.mapError(ask(questionOf(role), transport, inbox, parameters), (error) =>
    PgError.isPostgresError(error) ? notSaid(error) : error
  )
}

/** Another host may say what it is. */
const notSaid = (error: PgError.PostgresError): PgError.ConnectError => {
  const { place } = error
  const reason = `does not say whether it is a standby: ${withoutPlace(error)}`
  return new PgError.ConnectError({ stage: "startup", attempts: place === undefined ? [] : [{ ...place, reason }] })
}

const ask = Effect.fnUntraced(function* (
  sql: string,
  transport: Transport,
  inbox: Inbox,
  parameters: Map<string, string>
): Effect.fn.Return<boolean, PgError.PgError> {
  const writer = new ByteWriter()
  writeQuery(writer, sql)
  transport.write(writer.take())
  let answer = false
  while (true) {
    const frame = yield* inbox.next
    const { body, type } = frame
    switch (type) {
      case Backend.RowDescription:
      case Backend.DataRow:
        break
      case Backend.ParameterStatus:
        yield* inbox.read(() => readParameterStatus(parameters, body, 0, body.length))
        break
      case Backend.CommandComplete:
        answer = (yield* inbox.read(() => readCommandTag(body, 0, body.length))).rowCount === 1
        break
      case Backend.ReadyForQuery:
        if (body.length === 1 && body[0] === TransactionStatus.idle) return answer
        return yield* inbox.refuse(frame, "ReadyForQuery of an idle session")
      default:
        return yield* inbox.refuse(frame, "the answer to the question for the server's role")
    }
  }
})
