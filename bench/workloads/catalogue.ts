import { fetching, type Workload } from "./workload.ts"

/** Short strings, small integers and booleans in wide rows. How many rows there are is the server's affair. */
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
