/**
 * Builds and reads the rare messages with pg-protocol, behind guards. This is the only file that knows pg-protocol.
 *
 * A request throws `Unencodable` if pg-protocol's C strings and counts would silently change it. The layout of a
 * response is checked before pg-protocol sees it, because pg-protocol accepts strings without an end, wrong lengths and
 * negative counts; a malformed response is a `ProtocolViolation`. The decoded values own their bytes.
 */
import { Buffer } from "node:buffer"
import { serialize } from "pg-protocol"
import {
  AuthenticationMD5Password,
  type BackendMessage,
  NotificationResponseMessage,
  ParameterStatusMessage
} from "pg-protocol/dist/messages.js"
import { Parser } from "pg-protocol/dist/parser.js"
import {
  type AuthenticationRequest,
  Backend,
  type BackendKey,
  backendMessageName,
  type ColumnDescription,
  type Notification,
  ProtocolVersion,
  type VersionOffer
} from "./backendMessage.ts"
import { ByteReader } from "./byteReader.ts"
import { ProtocolViolation, Unencodable } from "./failure.ts"
import {
  MAX_COUNT,
  MAX_MESSAGE_BYTES,
  MAX_NAME_BYTES,
  MAX_SECRET_BYTES,
  MAX_STARTUP_PACKET_BYTES,
  MIN_SECRET_BYTES
} from "./limits.ts"

// ------------------------------------------------------------------------------------------------------- requests

/**
 * pg-protocol builds its messages in one buffer for the whole process, which it may share with node-postgres. A call
 * that failed leaves the beginning of its message there, and the next message would start with it. So flush that buffer
 * first.
 */
const serializer = (): typeof serialize => {
  serialize.query("")
  return serialize
}

/** Refuses text that contains a NUL, that UTF-8 cannot hold, or that is too long for any message. */
const checkText = (what: string, text: string): void => {
  if (text.includes("\0"))
    throw new Unencodable(`${what} contains a NUL character (\\u0000), which PostgreSQL does not accept`)
  if (!text.isWellFormed()) throw new Unencodable(`${what} contains a lone surrogate, which UTF-8 cannot encode`)
  if (text.length * 3 > MAX_MESSAGE_BYTES && Buffer.byteLength(text) > MAX_MESSAGE_BYTES - MAX_FRAME_BYTES) {
    throw new Unencodable(
      `${what} is longer than the ${MAX_MESSAGE_BYTES} bytes that PostgreSQL accepts in one message`
    )
  }
}

/**
 * What a message needs besides its one long text: the length, a name, the count and the OIDs of all possible
 * parameters.
 */
const MAX_FRAME_BYTES = 4 + MAX_NAME_BYTES + 2 + 2 + 4 * MAX_COUNT

const checkName = (name: string): void => {
  checkText("the name of a statement", name)
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new Unencodable(`the name of a statement is longer than the ${MAX_NAME_BYTES} bytes that PostgreSQL keeps`)
  }
}

/** The first message. `client_encoding` is always set to UTF8 here, and cannot be passed. */
export const encodeStartup = (
  parameters: ReadonlyMap<string, string>,
  version: ProtocolVersion = ProtocolVersion["3.0"]
): Buffer => {
  for (const [name, value] of parameters) {
    checkText("the name of a startup parameter", name)
    if (name === "") throw new Unencodable("a startup parameter has an empty name")
    if (name.toLowerCase() === "client_encoding")
      throw new Unencodable("client_encoding cannot be set, because it is always UTF8")
    checkText(`the startup parameter ${name}`, value)
  }
  const packet = serializer().startup(Object.fromEntries(parameters))
  packet.writeInt32BE(version, 4)
  if (packet.length - 4 > MAX_STARTUP_PACKET_BYTES) {
    throw new Unencodable(
      `the startup parameters are longer than the ${MAX_STARTUP_PACKET_BYTES} bytes that PostgreSQL accepts`
    )
  }
  return packet
}

export const encodeSslRequest = (): Buffer => serialize.requestSsl()

/**
 * Int32 length, Int32 request code, Int32 process, and the secret, whatever its length: pg-protocol knows only secrets of
 * 4 bytes. A cancel request does not belong to a session: it is the only message on a connection of its own.
 */
export const encodeCancelRequest = ({ processId, secret }: BackendKey): Buffer => {
  const header = Buffer.allocUnsafe(CANCEL_HEADER_BYTES)
  header.writeInt32BE(CANCEL_HEADER_BYTES + secret.length, 0)
  header.writeInt32BE(CANCEL_REQUEST, 4)
  header.writeInt32BE(processId, 8)
  return Buffer.concat([header, secret])
}

const CANCEL_HEADER_BYTES = 12
const CANCEL_REQUEST = 80_877_102

/** The answer to CleartextPassword and MD5Password. */
export const encodePassword = (password: string): Buffer => {
  checkText("the password", password)
  return serializer().password(password)
}

export const encodeSaslInitialResponse = (mechanism: string, data: string): Buffer => {
  checkText("the SASL mechanism", mechanism)
  checkText("the SASL response", data)
  return serializer().sendSASLInitialResponseMessage(mechanism, data)
}

export const encodeSaslResponse = (data: string): Buffer => {
  checkText("the SASL response", data)
  return serializer().sendSCRAMClientFinalMessage(data)
}

export const encodeTerminate = (): Buffer => serialize.end()

/**
 * Prepares `sql` under a name; the empty name is the unnamed statement. With an OID of 0 the server infers the type.
 */
export const encodeParse = (name: string, sql: string, parameterOids: ReadonlyArray<number>): Buffer => {
  checkName(name)
  checkText("the SQL text", sql)
  if (parameterOids.length > MAX_COUNT) {
    throw new Unencodable(
      `the call gives ${parameterOids.length} parameter types, but a statement takes at most ${MAX_COUNT}`
    )
  }
  return serializer().parse({ name, text: sql, types: [...parameterOids] })
}

export const encodeDescribeStatement = (name: string): Buffer => {
  checkName(name)
  return serialize.describe({ type: "S", name })
}

export const encodeCloseStatement = (name: string): Buffer => {
  checkName(name)
  return serialize.close({ type: "S", name })
}

export const encodeClosePortal = (name: string): Buffer => {
  checkName(name)
  return serialize.close({ type: "P", name })
}

export const encodeCopyDone = (): Buffer => serialize.copyDone()

/** Ends a COPY FROM STDIN with an error; the server includes `reason` in its message. */
export const encodeCopyFail = (reason: string): Buffer => {
  checkText("the reason for ending the COPY", reason)
  return serialize.copyFail(reason)
}

// ------------------------------------------------------------------------------------------------------ responses

/** Byte1 type, Int32 length (which counts itself but not the type). */
const HEADER_BYTES = 5

/**
 * Lets pg-protocol read one message. A new parser is used each time, and gets a copy of one whole frame and nothing
 * else. So it cannot wait for more, read beyond the end, or keep anything of a message that it refused.
 */
const parse = (type: number, bytes: Buffer, start: number, end: number): BackendMessage => {
  const frame = Buffer.allocUnsafeSlow(HEADER_BYTES + end - start)
  frame[0] = type
  frame.writeInt32BE(frame.length - 1, 1)
  bytes.copy(frame, HEADER_BYTES, start, end)
  const messages: Array<BackendMessage> = []
  try {
    new Parser().parse(frame, (message) => messages.push(message))
  } catch {
    throw malformed(type)
  }
  const [message] = messages
  if (message === undefined || messages.length > 1) throw malformed(type)
  return message
}

const malformed = (type: number): ProtocolViolation => new ProtocolViolation(`a malformed ${backendMessageName(type)}`)

/** Int32 request, then data that depends on it. The salt is 4 bytes; mechanisms are strings, ended by an empty one. */
export const decodeAuthentication = (bytes: Buffer, start: number, end: number): AuthenticationRequest => {
  const layout = new ByteReader(bytes, start, end)
  const request = layout.int32()
  switch (request) {
    case Authentication.ok:
    case Authentication.cleartextPassword:
      break
    case Authentication.md5Password:
      layout.skip(4)
      break
    case Authentication.sasl:
      while (layout.skipString() > 0);
      break
    case Authentication.saslContinue:
    case Authentication.saslFinal:
      layout.skip(layout.left)
      break
    default:
      return { _tag: "Unsupported", name: unsupportedMethods.get(request) ?? `authentication method ${request}` }
  }
  layout.expectEnd(backendMessageName(Backend.Authentication))
  return authenticationRequest(parse(Backend.Authentication, bytes, start, end))
}

const Authentication = {
  ok: 0,
  cleartextPassword: 3,
  md5Password: 5,
  sasl: 10,
  saslContinue: 11,
  saslFinal: 12
} as const

const unsupportedMethods: ReadonlyMap<number, string> = new Map([
  [2, "Kerberos V5"],
  [6, "SCM credentials"],
  [7, "GSSAPI"],
  [8, "GSSAPI"],
  [9, "SSPI"]
])

const authenticationRequest = (message: BackendMessage): AuthenticationRequest => {
  switch (message.name) {
    case "authenticationOk":
      return { _tag: "Ok" }
    case "authenticationCleartextPassword":
      return { _tag: "CleartextPassword" }
    case "authenticationMD5Password":
      if (!(message instanceof AuthenticationMD5Password)) break
      return { _tag: "MD5Password", salt: message.salt }
    case "authenticationSASL":
      if (!("mechanisms" in message) || !isStrings(message.mechanisms)) break
      return { _tag: "SASL", mechanisms: message.mechanisms }
    case "authenticationSASLContinue":
      if (!("data" in message) || typeof message.data !== "string") break
      return { _tag: "SASLContinue", data: message.data }
    case "authenticationSASLFinal":
      if (!("data" in message) || typeof message.data !== "string") break
      return { _tag: "SASLFinal", data: message.data }
    default:
      break
  }
  throw malformed(Backend.Authentication)
}

const isStrings = (value: unknown): value is ReadonlyArray<string> =>
  Array.isArray(value) && value.every((item) => typeof item === "string")

/** Int32 process, and the secret: the rest of the message. */
export const decodeBackendKeyData = (bytes: Buffer, start: number, end: number): BackendKey => {
  const reader = new ByteReader(bytes, start, end)
  const processId = reader.int32()
  const { left } = reader
  if (left < MIN_SECRET_BYTES || left > MAX_SECRET_BYTES) {
    throw new ProtocolViolation(`a BackendKeyData with a secret of ${left} bytes`)
  }
  return { processId, secret: Buffer.from(reader.view(left)) }
}

/** Int32 version, Int32 number of options, and the name of each. pg-protocol does not know this message. */
export const decodeNegotiateProtocolVersion = (bytes: Buffer, start: number, end: number): VersionOffer => {
  const reader = new ByteReader(bytes, start, end)
  const version = reader.int32()
  const unknownOptions: Array<string> = []
  const count = reader.int32()
  if (count < 0) throw malformed(Backend.NegotiateProtocolVersion)
  for (let left = count; left > 0; left--) unknownOptions.push(reader.cstring())
  reader.expectEnd(backendMessageName(Backend.NegotiateProtocolVersion))
  return { version, unknownOptions }
}

/** String name, String value. */
export const decodeParameterStatus = (
  bytes: Buffer,
  start: number,
  end: number
): { readonly name: string; readonly value: string } => {
  const layout = new ByteReader(bytes, start, end)
  layout.skipString()
  layout.skipString()
  layout.expectEnd(backendMessageName(Backend.ParameterStatus))
  const message = parse(Backend.ParameterStatus, bytes, start, end)
  if (!(message instanceof ParameterStatusMessage)) throw malformed(Backend.ParameterStatus)
  return { name: message.parameterName, value: message.parameterValue }
}

/** Int32 process, String channel, String payload. */
export const decodeNotification = (bytes: Buffer, start: number, end: number): Notification => {
  const layout = new ByteReader(bytes, start, end)
  layout.skip(4)
  layout.skipString()
  layout.skipString()
  layout.expectEnd(backendMessageName(Backend.NotificationResponse))
  const message = parse(Backend.NotificationResponse, bytes, start, end)
  if (!(message instanceof NotificationResponseMessage)) throw malformed(Backend.NotificationResponse)
  return { processId: message.processId, channel: message.channel, payload: message.payload }
}

/**
 * Int16 number of columns; for each: String name, Int32 table, Int16 attribute, Int32 type, Int16 type size, Int32 type
 * modifier, Int16 format. This message is read here because it is not rare in every program: a text that holds its values
 * is new each time, and so is described each time.
 */
export const decodeRowDescription = (bytes: Buffer, start: number, end: number): ReadonlyArray<ColumnDescription> => {
  const reader = new ByteReader(bytes, start, end)
  const columns: Array<ColumnDescription> = []
  const count = reader.int16()
  if (count < 0) throw malformed(Backend.RowDescription)
  for (let left = count; left > 0; left--) {
    columns.push({
      name: reader.cstring(),
      tableOid: reader.uint32(),
      attributeNumber: reader.int16(),
      typeOid: reader.uint32(),
      typeSize: reader.int16(),
      typeModifier: reader.int32()
    })
    reader.skip(FORMAT_BYTES)
  }
  reader.expectEnd(backendMessageName(Backend.RowDescription))
  return columns
}

const FORMAT_BYTES = 2

/**
 * Int16 number of parameters, Int32 type of each. This message is read here because pg-protocol treats the number as
 * signed and fails beyond 32,767.
 */
export const decodeParameterDescription = (bytes: Buffer, start: number, end: number): ReadonlyArray<number> => {
  const reader = new ByteReader(bytes, start, end)
  const oids: Array<number> = []
  for (let left = reader.uint16(); left > 0; left--) oids.push(reader.uint32())
  reader.expectEnd(backendMessageName(Backend.ParameterDescription))
  return oids
}
