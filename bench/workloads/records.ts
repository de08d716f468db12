/** Measures many rows written at once, as MagicStack's pgbench does. */
import { onConnections, type Value, type Workload } from "./workload.ts"

const COLUMNS = ["a", "b", "c", "d", "e", "f", "g"]
const ROW: ReadonlyArray<Value> = [10, 11, 10, "TESTTESTTEST", 10.333, 12341234, "123412341234"]

const CREATE = "CREATE UNLOGGED TABLE measurement (a int4, b int4, c int4, d text, e float8, f int4, g text)"

const EMPTY = "TRUNCATE measurement"

const RIGHT = "(a, b, c, d, e, f, g) = (10, 11, 10, 'TESTTESTTEST', 10.333, 12341234, '123412341234')"

const auditOf = (count: number): string =>
  `SELECT format('%s rows, %s of them right, instead of ${count}', count(*), count(*) FILTER (WHERE ${RIGHT}))
   FROM measurement HAVING count(*) <> ${count} OR count(*) FILTER (WHERE ${RIGHT}) <> ${count}`

const BATCH_ROWS = 1_000

export const batch: Workload = {
  name: "batch",
  title: "executeMany: INSERT of 1,000 rows of 7 columns",
  setup: [CREATE],
  ...onConnections({
    kind: "executeMany",
    sql: `INSERT INTO measurement (${COLUMNS.join(", ")}) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    row: ROW,
    count: BATCH_ROWS
  }),
  audit: auditOf(BATCH_ROWS),
  reset: EMPTY
}

const COPY_ROWS = 10_000

export const copyFrom: Workload = {
  name: "copyfrom",
  title: "COPY of 10,000 typed rows of 7 columns into a table",
  setup: [CREATE],
  ...onConnections({ kind: "copyIn", table: "measurement", columns: COLUMNS, row: ROW, count: COPY_ROWS }),
  audit: auditOf(COPY_ROWS),
  reset: EMPTY
}
