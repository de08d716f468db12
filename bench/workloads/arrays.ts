import { fetching, type Workload } from "./workload.ts"

/** Measures arrays: many elements in few values. */
export const arrays: Workload = {
  name: "arrays",
  title: "100 rows of int[100]",
  setup: [
    `CREATE TABLE series (numbers int4[] NOT NULL)`,
    `INSERT INTO series
     SELECT (SELECT array_agg(i) FROM generate_series(1, 100) AS i) FROM generate_series(1, 100)`,
    `ANALYZE series`
  ],
  ...fetching("SELECT numbers FROM series")
}
