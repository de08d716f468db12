import { primaryKey } from "./primaryKey.ts"
import type { Workload } from "./workload.ts"

/** As many as the server of most applications allows. */
const IDLE_CONNECTIONS = 100

/** Measures what a connection costs that nobody uses. Each turn has a new process, whose memory nobody has used before. */
export const idle: Workload = {
  name: "idle",
  title: "memory of a connection, of 100 that are idle",
  setup: primaryKey.setup,
  task: {
    kind: "idle",
    connections: IDLE_CONNECTIONS,
    query: { sql: "SELECT id, name, balance, opened FROM account WHERE id = $1", parameters: [4711] }
  },
  through: "nothing",
  connections: 0,
  fibers: 1,
  turns: { most: 3, least: 1 }
}
