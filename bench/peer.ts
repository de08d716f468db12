/** Starts the process of a driver and talks to it, for the runner. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import type { Refusal } from "./drivers/driver.ts"
import type { Participant } from "./drivers/index.ts"
import type { Address, Column, Reply, Request, Sample, Text } from "./protocol.ts"
import { isPipelined, type Task, type Workload } from "./workloads/workload.ts"

/** How much longer than requested a driver may take. */
const PATIENCE_SECONDS = 30

const MILLIS_PER_SECOND = 1_000

export class Peer {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>
  private readonly ended: Promise<string>
  private readonly replies: AsyncIterator<string, undefined>

  private constructor({ command, args }: Participant) {
    this.child = spawn(command, args, {
      // node-postgres reads a date as midnight of the local zone, which must be the zone of the comparison.
      env: { ...process.env, TZ: "UTC" },
      stdio: ["pipe", "pipe", "inherit"]
    })
    this.ended = new Promise((resolve) => {
      this.child.once("error", (error) => resolve(error.message))
      this.child.once("close", (code, signal) => resolve(`its process ended with ${code ?? signal}`))
    })
    // Writing to a process that has ended fails, but `ended` already reports the end.
    this.child.stdin.on("error", () => {})
    this.replies = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** Starts the driver's process for a workload. Returns a refusal if the driver lacks a feature. */
  static async open(participant: Participant, address: Address, workload: Workload): Promise<Peer | Refusal> {
    const peer = new Peer(participant)
    const { task, through, connections, statementCacheSize } = workload
    const plan = { task, through, connections, statementCacheSize, isPipelined: isPipelined(workload) }
    try {
      const reply = await peer.ask({ kind: "open", address, plan }, "opened", "refused")
      if (reply.kind === "opened") return peer
      await peer.close()
      return { refused: reply.reason }
    } catch (error) {
      await peer.close()
      throw error
    }
  }

  /** Runs the task once and returns all values that it reads, as the server would print them. */
  async values(task: Task, columns: ReadonlyArray<Column>): Promise<ReadonlyArray<ReadonlyArray<Text>>> {
    return (await this.ask({ kind: "values", task, columns }, "values")).rows
  }

  async repeat({ task, fibers }: Workload, seconds: number): Promise<Sample> {
    return (await this.ask({ kind: "repeat", task, fibers, seconds }, "sample")).sample
  }

  /** Null if the driver's language does not count it. */
  async allocatedBytesPerQuery({ task, fibers }: Workload, seconds: number): Promise<number | null> {
    return (await this.ask({ kind: "allocation", task, fibers, seconds }, "allocation")).bytesPerQuery
  }

  async close(): Promise<void> {
    this.child.stdin.end()
    const impatience = this.killAfter(PATIENCE_SECONDS)
    await this.ended
    clearTimeout(impatience)
  }

  private async ask<K extends Reply["kind"]>(
    request: Request,
    ...expected: ReadonlyArray<K>
  ): Promise<Extract<Reply, { readonly kind: K }>> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`)
    const impatience = this.killAfter(("seconds" in request ? request.seconds : 0) + PATIENCE_SECONDS)
    const { value: line } = await this.replies.next()
    clearTimeout(impatience)
    if (line === undefined) throw new Error(await this.ended)
    const reply: Reply = JSON.parse(line)
    if (isReply(reply, expected)) return reply
    throw new Error(reply.kind === "failed" ? reply.message : `it answered ${reply.kind} where ${expected[0]} was due`)
  }

  private killAfter(seconds: number): NodeJS.Timeout {
    return setTimeout(() => this.child.kill("SIGKILL"), seconds * MILLIS_PER_SECOND)
  }
}

const isReply = <K extends Reply["kind"]>(
  reply: Reply,
  kinds: ReadonlyArray<K>
): reply is Extract<Reply, { readonly kind: K }> => kinds.some((kind) => kind === reply.kind)
