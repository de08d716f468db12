/** The process of one driver for Node or Bun: answers the runner's requests until its standard input ends. */
import { createInterface } from "node:readline"
import { allocatedBytes } from "./allocation.ts"
import type { Session } from "./drivers/driver.ts"
import { loadDriver } from "./drivers/index.ts"
import { Meter } from "./meter.ts"
import type { Reply, Request } from "./protocol.ts"
import { serverText } from "./serverText.ts"

const [name = ""] = process.argv.slice(2)
const driver = await loadDriver(name)
let session: Session | undefined

const opened = (): Session => {
  if (session === undefined) throw new Error("asked for a query before it was asked to open")
  return session
}

const answer = async (request: Request): Promise<Reply> => {
  switch (request.kind) {
    case "open": {
      const answer = await driver.open(request.address, request.plan)
      if ("refused" in answer) return { kind: "refused", reason: answer.refused }
      session = answer
      return { kind: "opened" }
    }
    case "values": {
      const rows = await opened().once(request.task)
      return {
        kind: "values",
        rows: rows.map((row) => request.columns.map((column) => serverText(row[column.name], column.type)))
      }
    }
    case "repeat": {
      const meter = new Meter(request.seconds)
      await opened().repeat(request.task, request.fibers, meter)
      return { kind: "sample", sample: meter.sample() }
    }
    case "allocation": {
      // Bun does not tell what it allocates.
      if (process.versions["bun"] !== undefined) return { kind: "allocation", bytesPerQuery: null }
      const meter = new Meter(request.seconds)
      const bytes = await allocatedBytes(() => opened().repeat(request.task, request.fibers, meter))
      return { kind: "allocation", bytesPerQuery: bytes / meter.sample().queries }
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch((error: unknown): Reply => ({
    kind: "failed",
    message: String(error)
  }))
  process.stdout.write(`${JSON.stringify(reply)}\n`)
}
await session?.close()
