/** Measures whether a statement costs more if many others are in use. */
import { onConnections, type Query, type Workload } from "./workload.ts"

const VALUES = ["17::int4", "'seventeen'::text", "true", "17.5::float8"] as const

/** Makes a query whose rows cost the same for each number, but have other column names in another order. */
const shape = (number: number): Query => {
  const columns = VALUES.map((_, position) => {
    const value = VALUES[(position + number) % VALUES.length]
    return `${value} AS value_${number}_${position}`
  })
  return { sql: `SELECT ${columns.join(", ")}`, parameters: [] }
}

/** Uses one connection, on which the check of the values prepares every statement before anything is measured. */
const shapes = (count: number): Pick<Workload, "setup" | "task" | "through" | "connections" | "fibers"> => ({
  setup: [],
  ...onConnections({
    kind: "fetch",
    queries: [shape(0), ...Array.from({ length: count - 1 }, (_, index) => shape(index + 1))]
  }),
  connections: 1,
  fibers: 1
})

/** Compare this with `manyShapes`: the cost of a statement must not depend on how many others there are. */
export const oneShape: Workload = {
  name: "one-shape",
  title: "row of 4 columns, always the same statement",
  ...shapes(1)
}

export const manyShapes: Workload = {
  name: "many-shapes",
  title: "row of 4 columns, 200 statements in rotation",
  ...shapes(200)
}
