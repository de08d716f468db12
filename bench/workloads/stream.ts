import { onConnections, type Query, type Workload } from "./workload.ts"

const ROWS = 1_000_000
const CHECKED_ROWS = 2_500

const series = (rows: number): Query => ({
  sql: "SELECT i, 'row number ' || i AS label FROM generate_series(1, $1) AS i",
  parameters: [rows]
})

/** Measures a stream. Its peak memory matters as much as its speed. */
export const stream: Workload = {
  name: "stream",
  title: "stream of 1,000,000 rows of two columns",
  setup: [],
  ...onConnections({ kind: "stream", query: series(ROWS), rows: ROWS, checkedWith: series(CHECKED_ROWS) }),
  connections: 1,
  fibers: 1
}
