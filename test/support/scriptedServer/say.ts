/** The messages of a server: whole backend messages. */
import { Buffer } from "node:buffer"
import { Backend, type ColumnDescription } from "../../../src/wire/backendMessage.ts"
import { column, dataRow } from "../../fixtures/dataRow.ts"
import { cstring, frame, int16, int32 } from "../../wire/frames.ts"

export { column }
export { int4 } from "../../fixtures/dataRow.ts"

const authentication = (request: number, ...rest: ReadonlyArray<Uint8Array>): Buffer =>
  frame(Backend.Authentication, Buffer.concat([int32(request), ...rest]))

export const authenticationOk = authentication(0)
export const cleartextPassword = authentication(3)
export const md5Password = (salt: Uint8Array): Buffer => authentication(5, salt)
export const sasl = (...mechanisms: ReadonlyArray<string>): Buffer =>
  authentication(10, ...mechanisms.map(cstring), cstring(""))
export const saslContinue = (text: string): Buffer => authentication(11, Buffer.from(text))
export const saslFinal = (text: string): Buffer => authentication(12, Buffer.from(text))
export const otherAuthentication = authentication

export const parameterStatus = (name: string, value: string): Buffer =>
  frame(Backend.ParameterStatus, Buffer.concat([cstring(name), cstring(value)]))

export const PROCESS_ID = 4242
export const SECRET = int32(0x5ec0e7)

export const backendKey = frame(Backend.BackendKeyData, Buffer.concat([int32(PROCESS_ID), SECRET]))

/** ReadyForQuery: idle, in a transaction, or in a failed one. */
export const ready = (status: "I" | "T" | "E" = "I"): Buffer => frame(Backend.ReadyForQuery, Buffer.from(status))

/** Everything that a server sends between the end of authentication and the first ReadyForQuery, inclusive. */
export const settings: Buffer = Buffer.concat([
  parameterStatus("server_version", "18.4"),
  parameterStatus("client_encoding", "UTF8"),
  backendKey,
  ready()
])

export interface ErrorAttributes {
  readonly severity?: string
  readonly code: string
  readonly message?: string
  /** The place in the source of the server; null for a message of a pooler. */
  readonly routine?: string | null
}

const fields = ({ severity = "ERROR", code, message = "no", routine = "scripted" }: ErrorAttributes): Buffer =>
  Buffer.concat([
    cstring(`S${severity}`),
    cstring(`V${severity}`),
    cstring(`C${code}`),
    cstring(`M${message}`),
    ...(routine === null ? [] : [cstring(`R${routine}`)]),
    Buffer.of(0)
  ])

export const error = (attributes: ErrorAttributes): Buffer => frame(Backend.ErrorResponse, fields(attributes))
export const notice = (message: string): Buffer =>
  frame(Backend.NoticeResponse, fields({ severity: "NOTICE", code: "00000", message }))
export const notification = (channel: string, payload: string): Buffer =>
  frame(Backend.NotificationResponse, Buffer.concat([int32(PROCESS_ID), cstring(channel), cstring(payload)]))

export const parseComplete = frame(Backend.ParseComplete, Buffer.alloc(0))
export const bindComplete = frame(Backend.BindComplete, Buffer.alloc(0))
export const closeComplete = frame(Backend.CloseComplete, Buffer.alloc(0))
export const noData = frame(Backend.NoData, Buffer.alloc(0))
export const emptyQuery = frame(Backend.EmptyQueryResponse, Buffer.alloc(0))
export const portalSuspended = frame(Backend.PortalSuspended, Buffer.alloc(0))
export const copyDone = frame(Backend.CopyDone, Buffer.alloc(0))
export const copyData = (text: string): Buffer => frame(Backend.CopyData, Buffer.from(text))
/** One column, in text. */
export const copyIn = frame(Backend.CopyInResponse, Buffer.concat([Buffer.of(0), int16(1), int16(0)]))
export const copyOut = frame(Backend.CopyOutResponse, Buffer.concat([Buffer.of(0), int16(1), int16(0)]))

export const parameterDescription = (oids: ReadonlyArray<number>): Buffer =>
  frame(Backend.ParameterDescription, Buffer.concat([int16(oids.length), ...oids.map(int32)]))

export const rowDescription = (columns: ReadonlyArray<ColumnDescription>): Buffer =>
  frame(
    Backend.RowDescription,
    Buffer.concat([
      int16(columns.length),
      ...columns.map((column) =>
        Buffer.concat([
          cstring(column.name),
          int32(column.tableOid),
          int16(column.attributeNumber),
          int32(column.typeOid),
          int16(column.typeSize),
          int32(column.typeModifier),
          int16(0)
        ])
      )
    ])
  )

export const row = (...values: ReadonlyArray<Uint8Array | null>): Buffer => frame(Backend.DataRow, dataRow(values))

export const commandComplete = (tag: string): Buffer => frame(Backend.CommandComplete, cstring(tag))

/** The answer to BEGIN that an extended query, or a Sync, follows. */
export const begun: Buffer = Buffer.concat([parseComplete, bindComplete, commandComplete("BEGIN")])

/** The whole answer to a statement that returns nothing, and is prepared and run in one round trip. */
export const ran = (tag: string): Buffer =>
  Buffer.concat([parseComplete, bindComplete, noData, commandComplete(tag), ready()])

/** The whole answer to the first request for a statement, which has it prepared and described. */
export const described = (
  columns: ReadonlyArray<ColumnDescription>,
  {
    parameters = [],
    returnsRows = true,
    status = "I"
  }: { parameters?: ReadonlyArray<number>; returnsRows?: boolean; status?: "I" | "T" | "E" } = {}
): Buffer =>
  Buffer.concat([
    parseComplete,
    parameterDescription(parameters),
    // A SELECT that is answered with NoData has made a table.
    returnsRows ? rowDescription(columns) : noData,
    ready(status)
  ])

/** The whole answer to a run. */
export const answered = (
  tag: string,
  { rows = [], status = "I" }: { rows?: ReadonlyArray<Buffer>; status?: "I" | "T" | "E" } = {}
): Buffer => Buffer.concat([bindComplete, ...rows, commandComplete(tag), ready(status)])

/** The whole answer to a request that failed. */
export const failed = (attributes: ErrorAttributes, status: "I" | "T" | "E" = "I"): Buffer =>
  Buffer.concat([error(attributes), ready(status)])
