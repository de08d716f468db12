import type { Workload } from "./workload.ts"

/** Measures connecting, in one loop. With more loops, the server's start of processes would be most of the time. */
export const connect: Workload = {
  name: "connect",
  title: "connect and close",
  setup: [],
  task: { kind: "connect" },
  through: "nothing",
  connections: 0,
  fibers: 1
}
