/**
 * The vocabulary of what the server may send: the type bytes of backend messages, and the shapes of those that are
 * decoded into values. Rows and COPY data have no shape here; they are read in place.
 */
import type { Buffer } from "node:buffer"

/** Type bytes of backend messages (PostgreSQL documentation, "Message Formats"). */
export const Backend = {
  Authentication: 0x52, // R
  BackendKeyData: 0x4b, // K
  BindComplete: 0x32, // 2
  CloseComplete: 0x33, // 3
  CommandComplete: 0x43, // C
  CopyBothResponse: 0x57, // W
  CopyData: 0x64, // d
  CopyDone: 0x63, // c
  CopyInResponse: 0x47, // G
  CopyOutResponse: 0x48, // H
  DataRow: 0x44, // D
  EmptyQueryResponse: 0x49, // I
  ErrorResponse: 0x45, // E
  FunctionCallResponse: 0x56, // V
  NegotiateProtocolVersion: 0x76, // v
  NoData: 0x6e, // n
  NoticeResponse: 0x4e, // N
  NotificationResponse: 0x41, // A
  ParameterDescription: 0x74, // t
  ParameterStatus: 0x53, // S
  ParseComplete: 0x31, // 1
  PortalSuspended: 0x73, // s
  ReadyForQuery: 0x5a, // Z
  RowDescription: 0x54 // T
} as const

const names = new Map<number, string>(Object.entries(Backend).map(([name, type]) => [type, name]))

/** The name of a backend message for error messages; an unknown type byte is shown in hexadecimal. */
export const backendMessageName = (type: number): string =>
  names.get(type) ?? `an unknown message (type 0x${type.toString(16).padStart(2, "0")})`

/** The messages that the server may send at any time, without a request. */
const unasked: ReadonlySet<number> = new Set([
  Backend.ErrorResponse,
  Backend.NoticeResponse,
  Backend.NotificationResponse,
  Backend.ParameterStatus
])

export const mayComeUnasked = (type: number): boolean => unasked.has(type)

/** The format of a value on the wire. */
export const Format = { text: 0, binary: 1 } as const
export type Format = (typeof Format)[keyof typeof Format]

/** ReadyForQuery's status byte. */
export const TransactionStatus = { idle: 0x49, inTransaction: 0x54, failed: 0x45 } as const
export type TransactionStatus = (typeof TransactionStatus)[keyof typeof TransactionStatus]

/** One column of a RowDescription. */
export interface ColumnDescription {
  readonly name: string
  /** The table's OID and the column's attribute number; both are 0 if the column does not come from a table. */
  readonly tableOid: number
  readonly attributeNumber: number
  readonly typeOid: number
  /** The type's size in bytes; negative for types of variable width. */
  readonly typeSize: number
  readonly typeModifier: number
}

/** What the server asks for during authentication. */
export type AuthenticationRequest =
  | { readonly _tag: "Ok" }
  | { readonly _tag: "CleartextPassword" }
  | { readonly _tag: "MD5Password"; readonly salt: Buffer }
  | { readonly _tag: "SASL"; readonly mechanisms: ReadonlyArray<string> }
  | { readonly _tag: "SASLContinue"; readonly data: string }
  | { readonly _tag: "SASLFinal"; readonly data: string }
  | { readonly _tag: "Unsupported"; readonly name: string }

/** What a CancelRequest has to show. */
export interface BackendKey {
  readonly processId: number
  /** 4 bytes in protocol 3.0, from 4 to 256 since protocol 3.2. */
  readonly secret: Buffer
}

/** Int16 major, Int16 minor, read as one Int32. There is no 3.1. */
export const ProtocolVersion = { "3.0": 0x30000, "3.2": 0x30002 } as const
export type ProtocolVersion = (typeof ProtocolVersion)[keyof typeof ProtocolVersion]

/** The server's answer to a startup message that asks for more than it can. */
export interface VersionOffer {
  /** The newest version that it speaks, as one Int32. */
  readonly version: number
  /** The protocol extensions that it does not know. */
  readonly unknownOptions: ReadonlyArray<string>
}

export interface Notification {
  readonly processId: number
  readonly channel: string
  readonly payload: string
}
