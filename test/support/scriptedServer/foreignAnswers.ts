/** What servers of other kinds say when PostgreSQL's client connects to them. */
import { Buffer } from "node:buffer"

/** A packet of MySQL: Int24 length (little endian), Byte1 sequence number, and the payload. */
const mySql = (...payload: ReadonlyArray<string | number>): Buffer => {
  const body = Buffer.concat(
    payload.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from([part])))
  )
  return Buffer.concat([Buffer.from([body.length & 0xff, body.length >> 8, 0, 0]), body])
}

export const foreignAnswers: ReadonlyArray<readonly [what: string, protocol: string, bytes: Buffer]> = [
  ["the refusal of a web server", "HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")],
  ["the banner of an SSH server", "SSH", Buffer.from("SSH-2.0-OpenSSH_9.6\r\n")],
  ["the greeting of MySQL", "MySQL", mySql(10, "8.0.36\0", 8, 0, 0, 0, "saltsalt", 0)],
  ["a greeting of MySQL as long as an E", "MySQL", mySql(10, "5.5.5-10.11.6-MariaDB\0", "x".repeat(46))],
  ["MySQL, which knows too many connections", "MySQL", mySql(255, 0x10, 4, "Too many connections")],
  ["MySQL, which does not know the host", "MySQL", mySql(255, 0x6a, 4, "Host 'x' is not allowed to connect")],
  ["an alert of TLS", "TLS", Buffer.from([0x15, 3, 3, 0, 2, 2, 0x46])]
]
