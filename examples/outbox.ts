/**
 * Sends events to an HTTP endpoint by way of an outbox. An order and its event are written in one transaction, so either
 * both are there or neither. The event is a message in the server's log: no table that has to be polled and cleaned. It is
 * sent again until the endpoint has taken it.
 */
import "./support/logicalDatabase.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect, Fiber, Schedule, Stream } from "effect"
import * as http from "node:http"
import { PgClient } from "../src/index.ts"
import * as PgReplication from "../src/PgReplication.ts"

class NotTaken extends Data.TaggedError("NotTaken")<{ readonly status: number }> {}

/** An endpoint that fails at first, as others' do. */
const endpoint = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly received: Array<string>; readonly server: http.Server }>(
    (resume) => {
      const received: Array<string> = []
      let requests = 0
      const server = http.createServer((request, response) => {
        let body = ""
        request.on("data", (chunk) => (body += String(chunk)))
        request.on("end", () => {
          const isTaken = ++requests > 2
          if (isTaken) received.push(body)
          response.writeHead(isTaken ? 204 : 503).end()
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : undefined
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}/`, received, server }))
      })
    }
  ),
  ({ server }) => Effect.sync(() => server.closeAllConnections())
)

const send = (url: string, body: Uint8Array) =>
  Effect.gen(function* () {
    const text = new TextDecoder().decode(body)
    const { status } = yield* Effect.tryPromise(() => fetch(url, { method: "POST", body: text }))
    if (status !== 204) return yield* new NotTaken({ status })
  }).pipe(Effect.retry(Schedule.spaced("50 millis")))

const program = Effect.gen(function* () {
  const url = yield* Config.Redacted("DATABASE_URL")
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript("CREATE TABLE orders (id int PRIMARY KEY, item text); CREATE PUBLICATION outbox")
  yield* Effect.scoped(PgReplication.createSlot({ url }, { slot: "outbox" }))
  const { received, server, url: endpointUrl } = yield* endpoint

  // #region run
  const sending = yield* PgReplication.run(
    { connection: { url }, slot: "outbox", publications: ["outbox"] },
    (transaction) =>
      Stream.runForEach(transaction.changes, (change) =>
        change._tag === "Message" && change.prefix === "order" ? send(endpointUrl, change.content) : Effect.void
      )
  ).pipe(Effect.forkScoped)
  // #endregion run

  const order = (id: number, item: string) =>
    pg.withTransaction(
      Effect.andThen(
        pg.execute("INSERT INTO orders VALUES ($1, $2)", [id, item]),
        pg.execute("SELECT pg_logical_emit_message(true, 'order', $1::text)", [JSON.stringify({ id, item })])
      )
    )
  yield* order(1, "tea")
  yield* Effect.ignore(order(1, "a second one with the same number"))
  yield* order(2, "milk")

  yield* Effect.sleep("20 millis").pipe(Effect.repeat({ while: () => received.length < 2 }))
  for (const body of received) yield* Console.log(`the endpoint has taken ${body}`)
  yield* Fiber.interrupt(sending)
  server.close()

  yield* PgReplication.dropSlot({ url }, "outbox")
  yield* pg.executeScript("DROP PUBLICATION outbox; DROP TABLE orders")
}).pipe(Effect.scoped)

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
