/** Writes a run of a statement whose parameters and columns are known. */
import * as PgError from "../../PgError.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import {
  writeBind,
  writeBindExecuteSync,
  writeDescribePortal,
  writeExecute,
  writeParse,
  writeSync
} from "../../wire/frontendEncoder.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import type { Wanted } from "../statement/wanted.ts"

/** With `parses`, the same round trip prepares the statement and describes its portal. */
export const writeRun = (
  writer: ByteWriter,
  statement: PreparedStatement,
  values: ReadonlyArray<unknown>,
  { maxRows, portal, until }: Pick<Wanted<never, unknown>, "maxRows" | "portal" | "until">,
  parses: boolean
): void => {
  const { name, parameterOids, parameters, sql } = statement
  if (values.length !== parameters.length) {
    throw new PgError.ParameterCountError({ expected: parameters.length, actual: values.length, sql })
  }
  if (portal === undefined && !parses) return writeBindExecuteSync(writer, statement, values, maxRows)
  if (parses) writeParse(writer, name, sql, parameterOids)
  writeBind(writer, statement, values, portal?.nameBytes)
  if (parses) writeDescribePortal(writer, portal?.nameBytes)
  if (until !== "bound") writeExecute(writer, maxRows, portal?.nameBytes)
  writeSync(writer)
}
