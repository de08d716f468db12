import { fetching, type Workload } from "./workload.ts"

/** Measures values that need no decoding, only copying. */
export const bytes: Workload = {
  name: "bytea",
  title: "100 rows of 1 kB bytea",
  setup: [
    `CREATE TABLE large_object (content bytea NOT NULL)`,
    `INSERT INTO large_object SELECT repeat('a', 1000)::bytea FROM generate_series(1, 100)`,
    `ANALYZE large_object`
  ],
  ...fetching("SELECT content FROM large_object")
}
