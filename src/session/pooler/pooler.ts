/**
 * What the sessions of a pool have found out about a pooler, such as PgBouncer, between them and the server. A pooler may
 * give each transaction of a session another server process, and then the session loses what it has made on the first
 * one. Each finding holds for all sessions, and is logged once.
 */
import { mayBeSetAgain } from "./startupSettings.ts"

export class Pooler {
  /** Whether no session may rely on a statement that was prepared under a name. */
  losesStatements = false
  /** Whether it is certain that a pooler is the reason. */
  private isProven = false
  /** Whether sessions have process ids that are none of the server's. */
  isThere = false
  private hasMoved = false
  private isListening = false
  /** Whether a reset has taken away what the startup of a session had set. */
  losesSettings = false
  /** Whether the server was asked which settings of the startup are in force. */
  hasAskedForSettings = false
  /** The settings that are not in force after the startup, because a pooler ignores them. */
  readonly ignored = new Set<string>()
  private readonly said = new Set<string>()
  private write: ((line: string) => void) | undefined

  /** Whether a session does not keep its server process from one transaction to the next. */
  get movesSessions(): boolean {
    return this.hasMoved
  }

  /** One session was served by two server processes. */
  moved(): void {
    this.hasMoved = true
    if (this.isListening) this.say(HEARS_NOTHING)
  }

  /** A session has sent LISTEN. */
  listens(): void {
    this.isListening = true
    if (this.hasMoved) this.say(HEARS_NOTHING)
  }

  /** Sets where findings are logged, unless it is set already. */
  logWith(write: (line: string) => void): void {
    this.write ??= write
  }

  /** A statement was not where a session had prepared it, and the reason is not known yet. */
  suspectLoss(): void {
    this.losesStatements = true
  }

  /** A statement was missing because SQL had deallocated it. */
  clear(): void {
    if (!this.isProven) this.losesStatements = false
  }

  /** A pooler has moved a session away from the server process on which it had prepared a statement. */
  losesStatement(): void {
    this.losesStatements = true
    this.isProven = true
    this.moved()
    this.say(STATEMENTS_LOST)
  }

  /** The startup does not set these. Those that a pooler keeps for each client are set after it. */
  ignoresSettings(names: ReadonlyArray<string>): void {
    for (const name of names) this.ignored.add(name)
    const lasting = names.filter((name) => !mayBeSetAgain(name))
    if (lasting.length > 0) this.say(settingsIgnored(lasting))
  }

  /** Logs a line, unless it was logged before. */
  say(line: string): void {
    if (this.said.has(line)) return
    this.said.add(line)
    this.write?.(line)
  }
}

const STATEMENTS_LOST =
  "a pooler between the client and the server does not keep prepared statements; from now on the client prepares " +
  'none under a name, as if statementMode were "unnamed"'

const HEARS_NOTHING =
  "a pooler between the client and the server gives each transaction another server connection, so that listen may hear " +
  "nothing; listen with a client that connects to the server itself"

const settingsIgnored = (names: ReadonlyArray<string>): string =>
  `a pooler between the client and the server ignores these settings: ${names.join(", ")}; set them with ALTER ROLE ... ` +
  "SET, or with the hook init if the pooler keeps one server connection for each client"
