/** A repository whose types name the errors that a caller can act on, and no others. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Data, Effect } from "effect"
import { PgClient, PgError } from "../src/index.ts"

class EmailTaken extends Data.TaggedError("EmailTaken")<{ readonly email: string }> {}
class UnknownUser extends Data.TaggedError("UnknownUser")<{ readonly email: string }> {}

// (email: string) => Effect<void, EmailTaken, PgClient>
const addUser = Effect.fn("addUser")(
  function* (email: string) {
    const pg = yield* PgClient.PgClient
    yield* pg
      .execute("INSERT INTO users (email) VALUES ($1)", [email])
      .pipe(Effect.catchTag("UniqueViolationError", () => Effect.fail(new EmailTaken({ email }))))
  },
  // A caller can do nothing about any other error of the database.
  PgError.orDie
)

const removeUser = Effect.fn("removeUser")(function* (email: string) {
  const pg = yield* PgClient.PgClient
  yield* pg.fetchOne("DELETE FROM users WHERE email = $1 RETURNING id", [email]).pipe(
    PgError.catchTags({
      UnexpectedRowCountError: () => Effect.fail(new UnknownUser({ email })),
      ForeignKeyViolationError: (error) => Console.log(`${email} is kept, because of ${error.constraintName}`)
    })
  )
}, PgError.orDie)

const program = Effect.gen(function* () {
  const pg = yield* PgClient.PgClient
  yield* pg.executeScript(`
    CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE);
    CREATE TABLE orders (user_id int REFERENCES users)
  `)
  yield* addUser("ada@example.com")
  yield* addUser("ada@example.com").pipe(Effect.catchTag("EmailTaken", ({ email }) => Console.log(`${email} is taken`)))
  yield* pg.execute("INSERT INTO orders SELECT id FROM users")
  yield* removeUser("ada@example.com")
  yield* removeUser("grace@example.com").pipe(
    Effect.catchTag("UnknownUser", ({ email }) => Console.log(`nobody is called ${email}`))
  )
})

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

program.pipe(Effect.provide(Database), NodeRuntime.runMain)
