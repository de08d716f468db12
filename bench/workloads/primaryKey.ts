import { fetching, type Workload } from "./workload.ts"

/** Measures the most frequent query of most applications: one parameter, one small row. */
export const primaryKey: Workload = {
  name: "primary-key",
  title: "primary-key row of 4 columns",
  setup: [
    `CREATE TABLE account (id int4 PRIMARY KEY, name text NOT NULL, balance int8 NOT NULL, opened timestamptz NOT NULL)`,
    `INSERT INTO account
     SELECT i, 'account number ' || i, i::int8 * 1000003, timestamptz '2024-01-01 00:00:00.25Z' + i * interval '1 hour'
     FROM generate_series(1, 10000) AS i`,
    `ANALYZE account`
  ],
  ...fetching("SELECT id, name, balance, opened FROM account WHERE id = $1", 4711),
  hasFloor: true
}
