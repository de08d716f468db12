/** Makes the file of a new migration, with the number after the last one. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { type CliFailure, failure, misuse } from "../terminal/failure.ts"

export type Language = "sql" | "ts"

const NUMBERED = /^(\d+)_[^.]+\.(?:sql|js|ts|mjs|mts)$/
const DEFAULT_DIGITS = 4

/** Returns the path of the file. */
export const newMigration = (
  directory: string,
  title: string,
  language: Language
): Effect.Effect<string, CliFailure, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const name = title
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]+/gu, "_")
      .replaceAll(/^_+|_+$/g, "")
    if (name === "") return yield* misuse("The name of a migration needs a letter or a digit.")
    yield* files.makeDirectory(directory, { recursive: true })
    const numbers = (yield* files.readDirectory(directory)).flatMap((file) => NUMBERED.exec(file)?.[1] ?? [])
    const last = Math.max(0, ...numbers.map(Number))
    const digits = numbers.length === 0 ? DEFAULT_DIGITS : Math.max(...numbers.map(({ length }) => length))
    const file = path.join(directory, `${String(last + 1).padStart(digits, "0")}_${name}.${language}`)
    yield* files.writeFileString(file, TEMPLATES[language], { flag: "wx" })
    return file
  }).pipe(Effect.catchTag("PlatformError", ({ message }) => Effect.fail(failure(message))))

const TEMPLATES: Readonly<Record<Language, string>> = {
  sql: `-- The file runs in one transaction. If it must not, make "-- no transaction" the first line.\n`,
  ts: `import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql\`SELECT 1\`
})
`
}
