/** Lists the workloads of the benchmark. */
import { arrays } from "./arrays.ts"
import { bytes } from "./bytes.ts"
import { catalogue } from "./catalogue.ts"
import { connect } from "./connect.ts"
import { idle } from "./idle.ts"
import { integers } from "./integers.ts"
import { fixedRate, mixedLoad } from "./load.ts"
import { mixed } from "./mixed.ts"
import { onePlusOne } from "./onePlusOne.ts"
import { pipelined } from "./pipelined.ts"
import { acquire, lease, pool, transaction } from "./pool.ts"
import { primaryKey } from "./primaryKey.ts"
import { batch, copyFrom } from "./records.ts"
import { manyShapes, oneShape } from "./shapes.ts"
import { stream } from "./stream.ts"
import type { Workload } from "./workload.ts"

export const workloads: ReadonlyArray<Workload> = [
  onePlusOne,
  primaryKey,
  integers,
  catalogue,
  pipelined,
  bytes,
  arrays,
  mixed,
  oneShape,
  manyShapes,
  pool,
  acquire,
  lease,
  transaction,
  connect,
  stream,
  batch,
  copyFrom,
  fixedRate,
  mixedLoad,
  idle
]

/** What is measured if nothing is chosen: a few minutes. */
export const usualWorkloads: ReadonlyArray<Workload> = [
  onePlusOne,
  primaryKey,
  catalogue,
  mixed,
  pool,
  transaction,
  connect,
  stream,
  copyFrom,
  mixedLoad
]
