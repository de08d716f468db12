/** Errors by name, by class, and as a report. */
import "../../examples/support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect } from "effect"
import { PgClient, PgError } from "../../src/index.ts"

class EmailTaken extends Data.TaggedError("EmailTaken")<{ readonly email: string }> {}

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.execute("CREATE TABLE users (email text PRIMARY KEY, age int CHECK (age > 0))")

  // #region tag
  const add = (email: string) =>
    pg
      .execute("INSERT INTO users VALUES ($1, 30)", [email])
      .pipe(Effect.catchTag("UniqueViolationError", () => Effect.fail(new EmailTaken({ email }))))
  // #endregion tag
  yield* add("ada@example.com")
  yield* Effect.catchTag(add("ada@example.com"), "EmailTaken", ({ email }) => Console.log(`${email} is taken`))

  // #region tags
  const young = pg.execute("INSERT INTO users VALUES ('grace@example.com', 0)").pipe(
    PgError.catchTags({
      UniqueViolationError: (error) => Console.log(`taken: ${error.constraintName}`),
      CheckViolationError: (error) => Console.log(`refused by ${error.constraintName}`)
    })
  )
  // #endregion tags
  yield* young

  // #region class
  // Class 23 of SQLSTATE holds all violations of constraints.
  const careful = pg
    .execute("INSERT INTO users VALUES (NULL, 1)")
    .pipe(PgError.catchClass("23", (error) => Console.log(`${error.code} at column ${error.columnName}`)))
  // #endregion class
  yield* careful

  // #region report
  const misspelt = pg.fetch("SELECT emial\nFROM users WHERE age > $1", [18])
  yield* Effect.catchTag(misspelt, "UndefinedColumnError", (error) => Console.log(error.report))
  // #endregion report

  // #region outcome
  // `outcome` says whether trying again could do the work twice.
  const wrong = pg.execute("INSERT INTO users VALUES ($1, $2)", ["eve@example.com", 3_000_000_000])
  yield* Effect.catchTag(wrong, "EncodeError", (error) => Console.log(error.outcome, error.message))
  // #endregion outcome
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
