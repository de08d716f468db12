import type { Workload } from "./workload.ts"

/** One loop: a server starts a process for each connection, and more of them at once would measure that. */
export const connect: Workload = {
  name: "connect",
  title: "connect and close",
  setup: [],
  task: { kind: "connect" },
  through: "nothing",
  connections: 0,
  fibers: 1
}
