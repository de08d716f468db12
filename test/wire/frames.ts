/** Backend messages for the tests: one golden frame of every type, and functions that build and generate others. */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import type { Backend } from "../../src/wire/backendMessage.ts"

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex")

export const frame = (type: number, body: Uint8Array): Buffer => {
  const header = Buffer.alloc(5)
  header[0] = type
  header.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([header, body])
}

export const golden: Readonly<Record<keyof typeof Backend, Buffer>> = {
  Authentication: hex("52 0000000c 00000005 deadbeef"),
  BackendKeyData: hex("4b 0000000c 00000539 80000001"),
  BindComplete: hex("32 00000004"),
  CloseComplete: hex("33 00000004"),
  CommandComplete: hex("43 0000000d 53454c454354203100"),
  CopyBothResponse: hex("57 00000007 00 0000"),
  CopyData: hex("64 00000007 610962"),
  CopyDone: hex("63 00000004"),
  CopyInResponse: hex("47 00000009 01 0001 0001"),
  CopyOutResponse: hex("48 0000000b 00 0002 0000 0000"),
  DataRow: hex("44 00000017 0003 00000004 0000002a ffffffff 00000001 78"),
  EmptyQueryResponse: hex("49 00000004"),
  ErrorResponse: hex("45 00000017 534552524f5200 433432363031 00 4d6e6f 00 00"),
  FunctionCallResponse: hex("56 00000008 ffffffff"),
  NegotiateProtocolVersion: hex("76 0000000c 00030000 00000000"),
  NoData: hex("6e 00000004"),
  NoticeResponse: hex("4e 00000009 4d686900 00"),
  NotificationResponse: hex("41 0000000f 0000002a 6368616e00 6800"),
  ParameterDescription: hex("74 0000000e 0002 00000017 ffffffff"),
  ParameterStatus: hex("53 00000019 636c69656e745f656e636f64696e6700 55544638 00"),
  ParseComplete: hex("31 00000004"),
  PortalSuspended: hex("73 00000004"),
  ReadyForQuery: hex("5a 00000005 49"),
  RowDescription: hex("54 0000001b 0001 696400 00400100 0001 00000017 0004 ffffffff 0001")
}

export const int = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

export const bytes = (maxLength: number): Arbitrary.Arbitrary<Buffer> =>
  Arbitrary.array(int(0, 255), { maxLength }).pipe(Arbitrary.map((values) => Buffer.from(values)))

/** Text that PostgreSQL can hold. */
export const text: Arbitrary.Arbitrary<string> = Arbitrary.schema(Schema.String).pipe(
  Arbitrary.map((value) => value.replaceAll("\0", "").toWellFormed())
)

export const cstring = (value: string): Buffer => Buffer.from(`${value}\0`)

export const int16 = (value: number): Buffer => {
  const word = Buffer.alloc(2)
  word.writeUInt16BE(value & 0xffff)
  return word
}

export const int32 = (value: number): Buffer => {
  const word = Buffer.alloc(4)
  word.writeUInt32BE(value >>> 0)
  return word
}
