/**
 * A server that answers by itself, by the rules of the protocol, from a table of statements. It serves tests in which
 * many kinds of calls meet the same answers. A test can change its messages before they are sent.
 */
import type { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Backend, type ColumnDescription } from "../../../src/wire/backendMessage.ts"
import { COPY_HEADER, COPY_TRAILER } from "../../../src/wire/copyData/copyBinary.ts"
import { frame } from "../../wire/frames.ts"
import type { FrontendMessage, Peer } from "./peer.ts"
import * as Say from "./say.ts"

/** The parameters and the result of a statement. `rows` are bodies of DataRows. */
export interface Statement {
  readonly parameters?: ReadonlyArray<number>
  readonly columns?: ReadonlyArray<ColumnDescription>
  readonly rows?: ReadonlyArray<Buffer>
}

export interface Conduct {
  /** The first whose text begins in this way. A text that none fits takes and returns nothing. */
  readonly statements: ReadonlyArray<readonly [beginning: string, statement: Statement]>
  /** What is sent instead of the answer to the messages up to a Sync, or to a simple query. */
  readonly tamper?: (frames: ReadonlyArray<Buffer>) => ReadonlyArray<Buffer>
}

interface OpenPortal {
  readonly sql: string
  sent: number
}

/** Answers what the peer's client asks until the scope closes. */
export const answering = (peer: Peer, conduct: Conduct): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.forkScoped(new Automaton(peer, conduct).run))

class Automaton {
  private readonly peer: Peer
  private readonly conduct: Conduct
  private readonly statements = new Map<string, string>()
  private readonly portals = new Map<string, OpenPortal>()
  private status: "I" | "T" = "I"
  private copies = false
  private frames: Array<Buffer> = []

  constructor(peer: Peer, conduct: Conduct) {
    this.peer = peer
    this.conduct = conduct
  }

  readonly run: Effect.Effect<void> = Effect.suspend(() =>
    Effect.flatMap(this.peer.anyMessage, (message) => {
      if (message === undefined) return Effect.void
      this.take(message)
      return this.run
    })
  )

  private say(...frames: ReadonlyArray<Buffer>): void {
    this.frames.push(...frames)
  }

  private flush(): void {
    const { frames } = this
    this.frames = []
    this.peer.send(...(this.conduct.tamper?.(frames) ?? frames))
  }

  private statement(sql: string): Statement {
    return this.conduct.statements.find(([beginning]) => sql.startsWith(beginning))?.[1] ?? {}
  }

  private take({ body, type }: FrontendMessage): void {
    const strings = body.toString("latin1").split("\0")
    switch (type) {
      case "P":
        this.statements.set(strings[0] ?? "", strings[1] ?? "")
        return this.say(Say.parseComplete)
      case "B":
        this.portals.set(strings[0] ?? "", { sql: this.statements.get(strings[1] ?? "") ?? "", sent: 0 })
        return this.say(Say.bindComplete)
      case "D":
        return this.describe(strings[0] ?? "")
      case "E":
        return this.execute(strings[0] ?? "", body.readInt32BE(body.length - 4))
      case "C":
        return this.say(Say.closeComplete)
      case "H":
        return this.flush()
      case "S":
        this.say(Say.ready(this.status))
        return this.flush()
      case "Q":
        return this.query(strings[0] ?? "")
      case "c":
      case "f":
        if (!this.copies) return
        this.copies = false
        this.say(type === "c" ? Say.commandComplete("COPY 0") : Say.error({ code: "57014" }), Say.ready(this.status))
        return this.flush()
      default:
    }
  }

  private describe(named: string): void {
    const sql = named.startsWith("S") ? this.statements.get(named.slice(1)) : this.portals.get(named.slice(1))?.sql
    const { columns, parameters = [] } = this.statement(sql ?? "")
    if (named.startsWith("S")) this.say(Say.parameterDescription(parameters))
    this.say(columns === undefined ? Say.noData : Say.rowDescription(columns))
  }

  private execute(name: string, maxRows: number): void {
    const portal = this.portals.get(name) ?? { sql: "", sent: 0 }
    const { columns, rows = [] } = this.statement(portal.sql)
    const page = rows.slice(portal.sent, maxRows === 0 ? undefined : portal.sent + maxRows)
    portal.sent += page.length
    this.say(...page.map((body) => frame(Backend.DataRow, body)))
    if (maxRows > 0 && portal.sent < rows.length) return this.say(Say.portalSuspended)
    this.complete(portal.sql, columns === undefined ? 0 : page.length)
  }

  private complete(sql: string, count: number): void {
    const command = /^\w+/.exec(sql)?.[0].toUpperCase() ?? ""
    if (command === "BEGIN") this.status = "T"
    if (command === "COMMIT" || command === "ROLLBACK") this.status = sql.includes("SAVEPOINT") ? this.status : "I"
    if (command === "") return this.say(Say.emptyQuery)
    this.say(Say.commandComplete(command === "SELECT" || command === "FETCH" ? `${command} ${count}` : command))
  }

  private query(text: string): void {
    if (text.startsWith("COPY") && text.includes("FROM STDIN")) {
      this.copies = true
      this.say(Say.copyIn)
      return this.flush()
    }
    if (text.startsWith("COPY")) {
      this.copyOut(text)
    } else {
      for (const sql of text.split(";")) {
        const { columns, rows = [] } = this.statement(sql.trim())
        if (columns !== undefined) {
          this.say(Say.rowDescription(columns), ...rows.map((body) => frame(Backend.DataRow, body)))
        }
        this.complete(sql.trim(), rows.length)
      }
    }
    this.say(Say.ready(this.status))
    this.flush()
  }

  /** The rows of the statement between the parentheses, each in a message of its own. */
  private copyOut(text: string): void {
    const { rows = [] } = this.statement(/\(\s*(SELECT[^)]*)\)/.exec(text)?.[1] ?? text)
    this.say(Say.copyOut, ...[COPY_HEADER, ...rows, COPY_TRAILER].map((data) => frame(Backend.CopyData, data)))
    this.say(Say.copyDone, Say.commandComplete(`COPY ${rows.length}`))
  }
}
