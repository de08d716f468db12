/** `effectpg doctor`: examines a connection and its server, and says how to mend what is wrong. */
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { examine } from "../doctor/examine.ts"
import { type Finding, lineOf, summaryOf } from "../doctor/finding.ts"
import { settingsOf, urlFlag } from "../terminal/database.ts"
import { ExitCode, ExitWith } from "../terminal/failure.ts"
import { print } from "../terminal/write.ts"

const flags = {
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the findings as JSON"), Flag.withDefault(false)),
  url: urlFlag
}

export const doctor = Command.make("doctor", flags, ({ json, url }) =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    yield* examine(settingsOf(url), (finding) => {
      findings.push(finding)
      return json ? Effect.void : Effect.ignore(print(lineOf(finding)))
    })
    yield* print(json ? `${JSON.stringify({ findings }, undefined, 2)}\n` : summaryOf(findings))
    if (findings.some(({ status }) => status === "wrong")) return yield* new ExitWith({ exitCode: ExitCode.failure })
  }).pipe(
    Effect.scoped,
    // What the client would log is among the findings.
    Effect.provideService(References.MinimumLogLevel, "None")
  )
).pipe(
  Command.withDescription(
    "Examines the way to a server (name, port, TLS, certificates, authentication), the server itself (version, role, " +
      "settings), a pooler before it, latency and clocks. Each line is ok, warning or wrong. Exits with 1 if anything is wrong."
  ),
  Command.withShortDescription("Examine a connection and its server"),
  Command.withExamples([
    { command: "effectpg doctor", description: "Examine the database of DATABASE_URL" },
    {
      command: 'effectpg doctor --json --url "postgres://app@db.example.com/app?sslmode=verify-full"',
      description: "For another program"
    }
  ])
)
