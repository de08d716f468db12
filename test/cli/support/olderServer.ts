/** A real server that says it is another version: a proxy before it changes what it reports of itself, and nothing else. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Buffer } from "node:buffer"
import * as net from "node:net"
import { Framer } from "../../../src/pgTest/proxy.ts"
import * as Say from "../../support/scriptedServer/say.ts"

const VERSION = "server_version\0"
const HEADER_BYTES = 5

/** Returns the port. Clients must connect without TLS. */
export const olderServer = (
  server: { readonly host: string; readonly port: number },
  version: string
): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<net.Server>((resolve) => {
          const proxy = net.createServer((client) => pass(client, server, version))
          proxy.listen(0, "127.0.0.1", () => resolve(proxy))
        })
    ),
    (proxy) => Effect.promise(() => new Promise<void>((resolve) => proxy.close(() => resolve())))
  ).pipe(
    Effect.map((proxy) => {
      const address = proxy.address()
      if (address === null || typeof address === "string") throw new Error("no port")
      return address.port
    })
  )

const pass = (client: net.Socket, server: { readonly host: string; readonly port: number }, version: string): void => {
  const upstream = net.connect(server.port, server.host)
  const framer = new Framer(false)
  upstream.on("data", (chunk: Buffer) => {
    framer.push(chunk)
    for (let message = framer.next(); message !== undefined; message = framer.next()) {
      const { bytes, type } = message
      const isVersion = type === "S" && bytes.subarray(HEADER_BYTES).toString("latin1").startsWith(VERSION)
      client.write(isVersion ? Say.parameterStatus("server_version", version) : bytes)
    }
  })
  client.pipe(upstream)
  for (const [one, other] of [
    [client, upstream],
    [upstream, client]
  ] as const) {
    one.on("error", () => other.destroy())
    one.on("close", () => other.destroy())
  }
}
