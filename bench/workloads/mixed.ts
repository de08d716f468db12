import { fetching, type Workload } from "./workload.ts"

/** Measures rows like those of a business table. Their timestamps have only milliseconds, as a `Date` does. */
export const mixed: Workload = {
  name: "mixed",
  title: "1,000 rows of ten mixed types",
  setup: [
    `CREATE TABLE purchase (
       id int4 NOT NULL, reference int8 NOT NULL, weight float8 NOT NULL, paid bool NOT NULL, price numeric(12, 2) NOT NULL,
       customer text NOT NULL, placed timestamptz NOT NULL, due date NOT NULL, token uuid NOT NULL, detail jsonb NOT NULL
     )`,
    `INSERT INTO purchase
     SELECT i, i::int8 * 9007199254, i + 0.25, i % 2 = 0, i * 1234.56, 'Customer with the number ' || i,
            timestamptz '2024-02-29 12:34:56.789Z' + i * interval '1 minute', date '2024-02-29' + i,
            md5(i::text)::uuid, jsonb_build_object('colour', 'green', 'sizes', jsonb_build_array(i, i + 1), 'gift', i % 3 = 0)
     FROM generate_series(1, 1000) AS i`,
    `ANALYZE purchase`
  ],
  ...fetching("SELECT id, reference, weight, paid, price, customer, placed, due, token, detail FROM purchase")
}
