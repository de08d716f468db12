import { fetching, type Workload } from "./workload.ts"

/** Measures wide rows of short strings, small integers and booleans. The number of rows depends on the server. */
export const catalogue: Workload = {
  name: "pg-type",
  title: "about 600 rows of 12 columns from pg_type",
  setup: [],
  ...fetching(
    `SELECT typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred, typisdefined,
            typdelim, typrelid, typelem, typarray
     FROM pg_type WHERE typtypmod = $1 AND typisdefined = $2`,
    -1,
    true
  )
}
