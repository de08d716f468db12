import { fetching, type Workload } from "./workload.ts"

/** Measures the cost of a query that shares its round trip with a hundred others. */
export const pipelined: Workload = {
  name: "pipelined",
  title: "SELECT 1+1, pipelined by 100 fibers on one connection",
  setup: [],
  ...fetching("SELECT 1+1"),
  connections: 1,
  fibers: 100
}
