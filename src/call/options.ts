/** Lists the options that each call takes, with what each may be. */
import * as PgError from "../PgError.ts"
import type { ReadOnlyOptions } from "./call.ts"
import { lsnOf } from "./lsn.ts"
import * as Shape from "./shape.ts"

export const READ_ONLY_OPTIONS: Shape.Kinds = {
  after: { is: (value) => lsnOf(value) !== undefined, takes: 'a position in the log, such as "16/B374D848"' },
  wait: Shape.duration
}

/** The options in `readOnly`; undefined if they are none. */
export const readOnlyOptions = (given: object): ReadOnlyOptions | undefined => {
  const known = Shape.read<ReadOnlyOptions>(given, "readOnly", READ_ONLY_OPTIONS)
  return PgError.isPgError(known) ? undefined : known
}

const readOnly: Shape.Kind = {
  is: (value) =>
    typeof value === "boolean" || (typeof value === "object" && value !== null && readOnlyOptions(value) !== undefined),
  takes: 'true, false, or { after: a position in the log such as "16/B374D848", wait: a duration }'
}

export const CALL_OPTIONS: Shape.Kinds = { timeout: Shape.duration, readOnly }
export const ROW_OPTIONS: Shape.Kinds = { ...CALL_OPTIONS, row: Shape.schema }
export const STREAM_OPTIONS: Shape.Kinds = { ...CALL_OPTIONS, fetchSize: Shape.count, row: Shape.schema }
export const VALUE_OPTIONS: Shape.Kinds = {
  ...CALL_OPTIONS,
  value: Shape.schema,
  column: {
    is: (value) => typeof value === "string" || typeof value === "number",
    takes: "the name of a column, or its position from 0"
  }
}
export const BATCH_OPTIONS: Shape.Kinds = { ...CALL_OPTIONS, errorBarriers: Shape.flag }
export const CURSOR_OPTIONS: Shape.Kinds = { ...CALL_OPTIONS, scroll: Shape.flag, hold: Shape.flag }
export const OBSERVED_OPTIONS: Shape.Kinds = { timeout: Shape.duration, onProgress: Shape.callback }
/** `copyStatement.ts` checks all other options. */
export const COPY_OPTIONS: Shape.Kinds = { ...OBSERVED_OPTIONS, where: Shape.text, [Shape.ANY_OTHER]: Shape.anything }
export const COPY_ROWS_OPTIONS: Shape.Kinds = {
  ...COPY_OPTIONS,
  format: { is: (value) => value === "binary" || value === "csv", takes: '"binary" or "csv"' }
}
export const PREPARE_OPTIONS: Shape.Kinds = { ...CALL_OPTIONS, name: Shape.serverName }
/** `beginStatement.ts` checks the modes. */
export const TRANSACTION_OPTIONS: Shape.Kinds = {
  isolation: Shape.anything,
  access: Shape.anything,
  deferrable: Shape.anything,
  trackOutcome: Shape.flag,
  timeout: Shape.duration
}
export const WITH_TRANSACTION_OPTIONS: Shape.Kinds = { ...TRANSACTION_OPTIONS, retry: Shape.schedule }
export const LOCK_OPTIONS: Shape.Kinds = { shared: Shape.flag }
export const WAITING_LOCK_OPTIONS: Shape.Kinds = { ...LOCK_OPTIONS, timeout: Shape.duration }
