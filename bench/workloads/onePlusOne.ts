import { fetching, type Workload } from "./workload.ts"

/** Measures the cost of a round trip alone. */
export const onePlusOne: Workload = {
  name: "one-plus-one",
  title: "SELECT 1+1",
  setup: [],
  ...fetching("SELECT 1+1"),
  hasFloor: true
}
