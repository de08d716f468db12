/** Recognizes a server that is not PostgreSQL by the first bytes that it sends. */
import type { Buffer } from "node:buffer"

/**
 * The protocol of a server that has begun with `bytes[0, length)`; undefined if it is none of the known ones. PostgreSQL
 * begins no answer to SSLRequest or to the startup message like this.
 */
export const foreignProtocol = (bytes: Buffer, length: number): string | undefined => {
  const text = bytes.toString("latin1", 0, Math.min(length, TEXT_BYTES))
  if (text === "HTTP/") return "HTTP"
  if (text.startsWith("SSH-")) return "SSH"
  if (length >= MYSQL_BYTES && isMySql(bytes)) return "MySQL"
  return length >= 2 && bytes[0] === TLS_ALERT && bytes[1] === TLS_MAJOR ? "TLS" : undefined
}

const TEXT_BYTES = 5
const MYSQL_BYTES = 7

/** Int24 length (little endian), Byte1 0; then Byte1 10 and a version such as 8.0, or Byte1 255 and Int16 error code. */
const isMySql = (bytes: Buffer): boolean => {
  if (bytes[2] !== 0 || bytes[3] !== 0) return false
  const isGreeting = bytes[4] === 10 && bytes[5]! >= DIGIT_0 && bytes[5]! <= DIGIT_9
  // The errors with which it refuses a connection have codes from 1024 to 1279.
  return isGreeting || (bytes[4] === 255 && bytes[6] === 4)
}

const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** A server that speaks nothing but TLS, such as that of HTTPS, refuses our message with an alert. */
const TLS_ALERT = 0x15
const TLS_MAJOR = 3
