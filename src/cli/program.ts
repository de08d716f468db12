/** The command line as a program: its commands, and how the process ends. */
import * as fs from "node:fs"
import { CliOutput, Command, Flag, GlobalFlag } from "effect/cli"
import * as CliConfig from "effect/cli/CliConfig"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { check } from "./commands/check.ts"
import { dev } from "./commands/dev.ts"
import { doctor } from "./commands/doctor.ts"
import { migrate } from "./commands/migrate.ts"
import { query } from "./commands/query.ts"
import { types } from "./commands/types.ts"
import { ExitCode, Interruption } from "./terminal/failure.ts"
import { endingOf } from "./terminal/report.ts"
import { ignoreClosedPipes, tell } from "./terminal/write.ts"

/** A command has one line here. */
const commands = Command.withSubcommands([check, types, query, migrate, dev, doctor])

const VERBOSE = "verbose"

const verbose = GlobalFlag.Setting(VERBOSE)({
  flag: Flag.Boolean(VERBOSE).pipe(
    Flag.withDescription("Print what is behind an error: causes and stack traces"),
    Flag.withDefault(false)
  )
})

export const effectpg = Command.make("effectpg").pipe(
  Command.withDescription("Tools for PostgreSQL and programs that use it through effectpg"),
  commands,
  Command.withGlobalFlags([verbose])
)

/** Runs the command that the arguments of the process name. The process ends with its exit code. */
export const start = async (): Promise<void> => {
  const [NodeRuntime, NodeServices] = await Promise.all([
    import("@effect/platform-node/NodeRuntime"),
    import("@effect/platform-node/NodeServices")
  ])
  ignoreClosedPipes()
  // The parser may not have got as far as to know the flag.
  const isVerbose = argumentsOf(process.argv).includes(`--${VERBOSE}`)
  const interruption = { exitCode: ExitCode.interrupted as number }
  const program = Effect.exit(
    Effect.provide(Command.run(effectpg, { version: version() }), [
      NodeServices.layer,
      manners,
      Layer.succeed(Interruption, interruption)
    ])
  ).pipe(
    Effect.flatMap((exit) => {
      const { exitCode, message } = endingOf(exit, isVerbose)
      return Effect.as(message === undefined ? Effect.void : Effect.ignore(tell(`${message}\n`)), exitCode)
    })
  )
  NodeRuntime.runMain(program, {
    disableErrorReporting: true,
    teardown: (exit, onExit) =>
      onExit(exit._tag === "Success" && typeof exit.value === "number" ? exit.value : interruption.exitCode)
  })
}

/** The arguments of effectpg itself, without those of a command that `dev` runs. */
const argumentsOf = (argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = argv.indexOf("--")
  return argv.slice(2, end === -1 ? undefined : end)
}

/** The package is two folders above, from `src/cli` as from `dist/chunks`. */
const version = (): string => {
  const manifest: unknown = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : ""
}

/** A wrong call is answered with what is wrong, on the standard error, and not with all that would be right. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
          `${event.errors.map(({ message }) => message).join("\n")}\n` +
            `${event.commandPath.join(" ")} --help tells how to call it.`
        )
      : CliOutput.defaultPresenter.present(event)
}

const manners = Layer.mergeAll(
  CliOutput.layerPresenter(presenter),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions, GlobalFlag.LogLevel] }),
  Layer.succeed(Logger.LogToStderr, true)
)
