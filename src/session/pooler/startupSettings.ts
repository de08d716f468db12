/**
 * The run-time parameters that the startup of a session has set. On the server itself, RESET ALL goes back to them. A
 * pooler that has started the server's session in its own way loses them there, or has never passed them on.
 */
import { quoteText } from "../../wire/sqlText.ts"

/**
 * The parameters that a pooler keeps for each client, whichever server process serves it. Only these may be set again
 * although the startup had no effect: anything else would stay on the server process, for other clients to find.
 */
const KEPT_BY_POOLERS: ReadonlySet<string> = new Set([
  "application_name",
  "datestyle",
  "standard_conforming_strings",
  "timezone"
])

/** What the startup message contains besides run-time parameters. `client_encoding` is the same on each connection. */
const NO_PARAMETERS: ReadonlySet<string> = new Set(["user", "database", "replication", "options", "client_encoding"])

export class StartupSettings {
  /** The parameters as they were configured. */
  readonly configured: ReadonlyMap<string, string>
  /** Those of them that the server reports, under its own spelling, as the startup has left them. */
  private reported: ReadonlyMap<string, string>
  private readonly ignored: ReadonlySet<string>
  /** Whether it is known what a reset makes of the settings that the server does not report. */
  hasBeenReset = false

  private constructor(
    configured: ReadonlyMap<string, string>,
    reported: ReadonlyMap<string, string>,
    ignored: ReadonlySet<string>
  ) {
    this.configured = configured
    this.reported = reported
    this.ignored = ignored
  }

  /** `ignored` are the parameters of which the pool knows that the startup does not set them. */
  static of(
    startupParameters: ReadonlyMap<string, string>,
    parameters: ReadonlyMap<string, string>,
    ignored: ReadonlySet<string>
  ): StartupSettings | undefined {
    const configured = configuredIn(startupParameters)
    return configured.size === 0
      ? undefined
      : new StartupSettings(configured, reportedOf(configured, parameters), ignored)
  }

  /** Whether the server now reports other values than after the startup. */
  areLost(parameters: ReadonlyMap<string, string>): boolean {
    for (const [name, value] of this.reported) if (parameters.get(name) !== value) return true
    return false
  }

  /** Takes what the server now reports for what is right, because it was just set. */
  confirm(parameters: ReadonlyMap<string, string>): void {
    this.reported = reportedOf(this.configured, parameters)
  }

  /** The parameters that may have been ignored: the server does not report them, or reports them in other words. */
  get uncertain(): ReadonlyMap<string, string> {
    const reported = new Map(Array.from(this.reported, ([name, value]) => [name.toLowerCase(), value.toLowerCase()]))
    return new Map(
      Array.from(this.configured).filter(([name, value]) => reported.get(name.toLowerCase()) !== value.toLowerCase())
    )
  }

  /** Expressions that set the parameters again, for a SELECT. */
  get restoring(): ReadonlyArray<string> {
    return Array.from(this.configured)
      .filter(([name]) => !this.ignored.has(name) || mayBeSetAgain(name))
      .map(([name, value]) => `pg_catalog.set_config(${quoteText(name)}, ${quoteText(value)}, false)`)
  }
}

/** Whether a pooler keeps a parameter for each client that sets it. */
export const mayBeSetAgain = (name: string): boolean => KEPT_BY_POOLERS.has(name.toLowerCase())

const reportedOf = (
  configured: ReadonlyMap<string, string>,
  parameters: ReadonlyMap<string, string>
): ReadonlyMap<string, string> => {
  const names = new Set(Array.from(configured.keys(), (name) => name.toLowerCase()))
  return new Map(Array.from(parameters).filter(([name]) => names.has(name.toLowerCase())))
}

/** Those of `options` come first, because the server lets the others win. */
const configuredIn = (startupParameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> => {
  const configured = new Map(settingsOfOptions(startupParameters.get("options") ?? ""))
  for (const [name, value] of startupParameters) {
    if (NO_PARAMETERS.has(name.toLowerCase()) || name.startsWith("_pq_.")) continue
    for (const known of configured.keys()) if (known.toLowerCase() === name.toLowerCase()) configured.delete(known)
    configured.set(name, value)
  }
  return configured
}

/** A word of `options`. A backslash takes the next character as it is. */
const WORD = /(?:\\[^]|[^\\\s])+/g
const SETTING = /^(?:-c\s*|--)([^=]+)=([^]*)$/

/** Reads `-c name=value`, `-cname=value` and `--name=value`. Other switches of the server set nothing that RESET knows. */
const settingsOfOptions = (options: string): ReadonlyArray<readonly [string, string]> => {
  const words = Array.from(options.matchAll(WORD), ([word]) => word.replace(/\\([^])/g, "$1"))
  return words.flatMap((word, index) => {
    const setting = word === "-c" ? `-c${words[index + 1] ?? ""}` : word
    const [, name, value] = SETTING.exec(setting) ?? []
    return name === undefined || value === undefined ? [] : [[name.replaceAll("-", "_"), value]]
  })
}
