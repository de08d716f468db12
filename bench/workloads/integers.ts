import { fetching, type Workload } from "./workload.ts"

/** The cost of a row that holds next to nothing. */
export const integers: Workload = {
  name: "integers",
  title: "1,000 rows of one int",
  setup: [],
  ...fetching("SELECT i FROM generate_series(1, $1) AS i", 1000)
}
