/** Shows how an application uses the client: a service that queries, and a layer that connects. */
import "./support/databaseUrl.ts"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Context, Effect, Layer } from "effect"
import { PgClient, type PgConnection, type PgError } from "../src/index.ts"

// #region service
interface Guestbook {
  readonly sign: (name: string, message: string) => Effect.Effect<void, PgError.PgError>
  readonly entries: Effect.Effect<ReadonlyArray<PgConnection.Row>, PgError.PgError>
}

const Guestbook = Context.Service<Guestbook>("app/Guestbook")

const GuestbookLive = Layer.effect(
  Guestbook,
  Effect.gen(function* () {
    const pg = yield* PgClient.PgClient
    yield* pg.execute("CREATE TABLE guestbook (name text, message text, signed_at timestamptz DEFAULT now())")
    return {
      sign: (name, message) =>
        Effect.asVoid(pg.execute("INSERT INTO guestbook (name, message) VALUES ($1, $2)", [name, message])),
      entries: pg.fetch("SELECT name, message FROM guestbook ORDER BY signed_at")
    }
  })
)
// #endregion service

// #region layer
// DATABASE_URL is required; POOL_SIZE is optional.
const Database = PgClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  maxConnections: Config.Int("POOL_SIZE").pipe(Config.withDefault(5)),
  applicationName: "guestbook"
})
// #endregion layer

const program = Effect.gen(function* () {
  const guestbook = yield* Guestbook
  yield* guestbook.sign("Ada", "The engine weaves algebraical patterns.")
  yield* guestbook.sign("Grace", "It is easier to ask forgiveness than permission.")
  yield* Console.log(yield* guestbook.entries)
})

program.pipe(Effect.provide(GuestbookLive.pipe(Layer.provide(Database))), NodeRuntime.runMain)
