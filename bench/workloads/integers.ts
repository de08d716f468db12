import { fetching, type Workload } from "./workload.ts"

/** Measures the cost of a row with a single integer. */
export const integers: Workload = {
  name: "integers",
  title: "1,000 rows of one int",
  setup: [],
  ...fetching("SELECT i FROM generate_series(1, $1) AS i", 1000)
}
