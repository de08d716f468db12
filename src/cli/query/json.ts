/** A result as JSON: an array with an object for each row. */
import * as Effect from "effect/Effect"
import { type CliFailure, failure } from "../terminal/failure.ts"
import { toJson } from "./jsonTypes.ts"
import type { Result } from "./runStatement.ts"

/** Fails if two columns have the same name, because one of them would be lost. */
export const json = ({ columns, rows }: Result): Effect.Effect<string, CliFailure> => {
  const names = columns.map(({ name }) => name)
  const repeated = names.find((name, at) => names.indexOf(name) !== at)
  if (repeated !== undefined) {
    return Effect.fail(
      failure(`Two columns are named ${repeated}. Name one of them in another way with AS, or use --csv.`)
    )
  }
  const keys = names.map((name) => JSON.stringify(name))
  const objects = rows.map((row) => `  {${row.map((value, at) => `${keys[at]}: ${toJson(value)}`).join(", ")}}`)
  return Effect.succeed(objects.length === 0 ? "[]\n" : `[\n${objects.join(",\n")}\n]\n`)
}
