/** Lists the options that each call takes, with what each may be. */
import * as Shape from "./shape.ts"

export const CALL_OPTIONS: Shape.Kinds = { timeout: Shape.duration }
export const ROW_OPTIONS: Shape.Kinds = { timeout: Shape.duration, row: Shape.schema }
export const STREAM_OPTIONS: Shape.Kinds = { timeout: Shape.duration, fetchSize: Shape.count, row: Shape.schema }
export const VALUE_OPTIONS: Shape.Kinds = {
  timeout: Shape.duration,
  value: Shape.schema,
  column: {
    is: (value) => typeof value === "string" || typeof value === "number",
    takes: "the name of a column, or its position from 0"
  }
}
export const BATCH_OPTIONS: Shape.Kinds = { timeout: Shape.duration, errorBarriers: Shape.flag }
export const CURSOR_OPTIONS: Shape.Kinds = { timeout: Shape.duration, scroll: Shape.flag, hold: Shape.flag }
export const OBSERVED_OPTIONS: Shape.Kinds = { timeout: Shape.duration, onProgress: Shape.callback }
/** `copyStatement.ts` checks all other options. */
export const COPY_OPTIONS: Shape.Kinds = { ...OBSERVED_OPTIONS, where: Shape.text, [Shape.ANY_OTHER]: Shape.anything }
export const COPY_ROWS_OPTIONS: Shape.Kinds = {
  ...COPY_OPTIONS,
  format: { is: (value) => value === "binary" || value === "csv", takes: '"binary" or "csv"' }
}
export const PREPARE_OPTIONS: Shape.Kinds = { timeout: Shape.duration, name: Shape.serverName }
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
