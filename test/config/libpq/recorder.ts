/**
 * Servers that do what a script says and write down what a client shows of itself: where it connects, what it asks for
 * first, and its startup message. They let both libpq and this client in, so that the records can be compared.
 */
import { Buffer } from "node:buffer"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import * as tls from "node:tls"
import { freePort } from "../../../src/testServer/freePort.ts"

/** What a server does. By default it refuses TLS, demands nothing, and is a primary. */
export interface Script {
  readonly tls?: "no" | "yes" | "error" | "hangup"
  readonly asksFor?: "password" | "md5"
  /** The SQLSTATE with which it refuses every startup message, or one that came in clear. */
  readonly refuses?: string
  readonly refusesClear?: string
  readonly parameters?: Readonly<Record<string, string>>
  /** Whether it never answers. */
  readonly isSilent?: boolean
}

export type ServerName = "a" | "b" | "c"

/** What a server saw of one connection. */
export interface Attempt {
  readonly server: ServerName
  readonly via: "tcp" | "socket"
  /** The requests before the startup message: `tls`, `direct tls`, `gss`. */
  readonly asked: Array<string>
  encrypted?: { readonly name: string | false; readonly alpn: string | false; readonly certificate: boolean }
  protocol?: string
  startup?: Readonly<Record<string, string>>
  password?: string
}

export interface Recorder {
  readonly ports: Readonly<Record<ServerName | "closed", number>>
  /** The directory of the sockets of all servers. */
  readonly directory: string
  /** Forgets what was recorded, and has the servers do this from now on. */
  readonly play: (scripts: Partial<Readonly<Record<ServerName, Script>>>) => void
  readonly attempts: () => ReadonlyArray<Attempt>
  readonly close: () => Promise<void>
}

const NAMES: ReadonlyArray<ServerName> = ["a", "b", "c"]
const tlsDirectory = new URL("../../support/tls/", import.meta.url)
const pem = (name: string): string => fs.readFileSync(new URL(name, tlsDirectory), "utf8")

export const startRecorder = async (directory: string): Promise<Recorder> => {
  let attempts: Array<Attempt> = []
  let scripts: Partial<Readonly<Record<ServerName, Script>>> = {}
  const sockets = new Set<net.Socket>()
  const servers: Array<net.Server> = []
  const context = tls.createSecureContext({ cert: pem("server.crt"), key: pem("server.key"), ca: pem("ca.crt") })
  const listen = (name: ServerName, via: Attempt["via"], where: net.ListenOptions) =>
    new Promise<number>((resolve, reject) => {
      const server = net.createServer((socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
        socket.on("error", () => {})
        const attempt: Attempt = { server: name, via, asked: [] }
        attempts.push(attempt)
        converse(socket, scripts[name] ?? {}, attempt, context)
      })
      servers.push(server)
      server.once("error", reject)
      server.listen(where, () => {
        const address = server.address()
        resolve(typeof address === "object" && address !== null ? address.port : 0)
      })
    })
  const portOf = async (name: ServerName): Promise<number> => {
    const port = await listen(name, "tcp", { host: "127.0.0.1", port: 0 })
    const file = `.s.PGSQL.${port}`
    await listen(name, "socket", { path: path.join(directory, file) })
    if (process.platform === "linux") await listen(name, "socket", { path: `\0${path.join(directory, file)}` })
    return port
  }
  const [a = 0, b = 0, c = 0] = await Promise.all(NAMES.map(portOf))
  return {
    ports: { a, b, c, closed: await freePort() },
    directory,
    play: (next) => {
      attempts = []
      scripts = next
    },
    attempts: () => attempts,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    }
  }
}

const SSL_REQUEST = 80_877_103
const GSS_REQUEST = 80_877_104
/** The first byte of a TLS handshake. */
const HANDSHAKE = 0x16

const converse = (socket: net.Socket, script: Script, attempt: Attempt, context: tls.SecureContext): void => {
  let buffer = Buffer.alloc(0)
  const receive = (bytes: Buffer): void => {
    buffer = Buffer.concat([buffer, bytes])
    if (script.isSilent === true) return
    if (buffer[0] === HANDSHAKE && attempt.encrypted === undefined) {
      attempt.asked.push("direct tls")
      if (script.tls !== "yes") return void socket.destroy()
      return encrypt()
    }
    if (buffer.length < 8 || buffer.length < buffer.readInt32BE(0)) return
    const code = buffer.readInt32BE(4)
    if (code === GSS_REQUEST) {
      attempt.asked.push("gss")
      buffer = buffer.subarray(8)
      socket.write("N")
      return
    }
    if (code === SSL_REQUEST) {
      attempt.asked.push("tls")
      buffer = buffer.subarray(8)
      if (script.tls === "hangup") return void socket.destroy()
      if (script.tls === "error") return void socket.end(errorResponse("08P01"))
      socket.write(script.tls === "yes" ? "S" : "N")
      if (script.tls === "yes") encrypt()
      return
    }
    socket.removeListener("data", receive)
    start(socket, buffer, script, attempt)
  }
  const encrypt = (): void => {
    socket.removeListener("data", receive)
    // Otherwise the socket would still flow, and the first bytes of the handshake would be lost.
    socket.pause()
    if (buffer.length > 0) socket.unshift(buffer)
    buffer = Buffer.alloc(0)
    const secured = new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["postgresql"]
    })
    secured.on("error", () => {})
    secured.once("secure", () => {
      attempt.encrypted = {
        name: "servername" in secured && typeof secured.servername === "string" ? secured.servername : false,
        alpn: secured.alpnProtocol || false,
        certificate: secured.getPeerX509Certificate() !== undefined
      }
    })
    const afterwards = (bytes: Buffer): void => {
      buffer = Buffer.concat([buffer, bytes])
      if (buffer.length < 8 || buffer.length < buffer.readInt32BE(0)) return
      secured.removeListener("data", afterwards)
      start(secured, buffer, script, attempt)
    }
    secured.on("data", afterwards)
  }
  socket.on("data", receive)
}

/** Answers the startup message and what follows, up to ReadyForQuery. */
const start = (socket: net.Socket, message: Buffer, script: Script, attempt: Attempt): void => {
  const length = message.readInt32BE(0)
  const minor = message.readUInt16BE(6)
  attempt.protocol = `${message.readUInt16BE(4)}.${minor}`
  const words = message.toString("utf8", 8, length - 2).split("\0")
  attempt.startup = Object.fromEntries(
    Array.from({ length: words.length / 2 }, (_, at) => [words[2 * at] ?? "", words[2 * at + 1] ?? ""])
  )
  const refusal = script.refuses ?? (attempt.encrypted === undefined ? script.refusesClear : undefined)
  if (refusal !== undefined) return void socket.end(errorResponse(refusal))
  const ready = (): void => {
    const parameters = {
      server_version: "18.0",
      client_encoding: "UTF8",
      server_encoding: "UTF8",
      DateStyle: "ISO, MDY",
      TimeZone: "UTC",
      IntervalStyle: "postgres",
      integer_datetimes: "on",
      standard_conforming_strings: "on",
      default_transaction_read_only: "off",
      in_hot_standby: "off",
      ...script.parameters
    }
    socket.write(
      Buffer.concat([
        frame("R", int32(0)),
        ...Object.entries(parameters).map(([name, value]) => frame("S", text(name), text(value))),
        frame("K", int32(1), Buffer.alloc(minor >= 2 ? 32 : 4, 7)),
        frame("Z", Buffer.from("I"))
      ])
    )
  }
  let rest = message.subarray(length)
  socket.on("data", (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1)
      if (rest[0] === "p".charCodeAt(0)) {
        attempt.password = rest.toString("utf8", 5, end - 1)
        ready()
      } else if (rest[0] === "X".charCodeAt(0)) socket.end()
      rest = rest.subarray(end)
    }
  })
  if (script.asksFor === "password") socket.write(frame("R", int32(3)))
  else if (script.asksFor === "md5") socket.write(frame("R", int32(5), Buffer.from("salt")))
  else ready()
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.from(`${value}\0`)

const frame = (type: string, ...parts: ReadonlyArray<Buffer>): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

const errorResponse = (code: string): Buffer =>
  frame("E", text("SFATAL"), text("VFATAL"), text(`C${code}`), text("Mrefused by the script"), Buffer.alloc(1))
