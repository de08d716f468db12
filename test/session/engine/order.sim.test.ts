/**
 * Tests every message of the server at every point of the conversation. An allowed message is followed by one that is
 * never allowed, which shows that the first was accepted. A forbidden message ends the session at once with an error
 * that names the message and the point, and every waiting caller receives that error.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Buffer } from "node:buffer"
import { pgType } from "../../../src/codec/oid.generated.ts"
import type { StatementMode } from "../../../src/PgConfig.ts"
import type * as PgError from "../../../src/PgError.ts"
import { connect } from "../../../src/session/opening/connect.ts"
import { script, send } from "../../../src/session/request/request.ts"
import type { Session } from "../../../src/session/engine/session.ts"
import { Backend } from "../../../src/wire/backendMessage.ts"
import {
  ask,
  configOf,
  establish,
  failureOf,
  type Peer,
  Say,
  type ScriptedServer,
  scriptedServer
} from "../../support/scriptedServer.ts"
import { ScramServer } from "../../support/scriptedServer/scramServer.ts"
import { frame, golden } from "../../wire/frames.ts"

type Name = keyof typeof Backend
const names = Object.keys(Backend) as ReadonlyArray<Name>

const NONSENSE = frame(0x21, Buffer.alloc(0))
const NONSENSE_NAME = "an unknown message (type 0x21)"

const { int4 } = pgType
const columns = [Say.column("a", int4.oid), Say.column("b", int4.oid), Say.column("c", int4.oid)]

/** A point of the conversation: how to get there, and which calls wait. */
interface Point<Waits> {
  readonly where: string
  readonly reach: (server: ScriptedServer) => Effect.Effect<Waits, PgError.PgError, Scope.Scope>
  readonly expected: string
  /** What may come here, besides the messages that may always come. */
  readonly legal: Readonly<Partial<Record<Name, Buffer>>>
}

const assertNames = (error: PgError.PgError | undefined, received: string, expected: string | undefined): void => {
  if (error?._tag !== "ProtocolError") return assert.fail(`${String(error)} is no ProtocolError`)
  assert.strictEqual(error.received, received)
  if (expected !== undefined) assert.strictEqual(error.expected, expected)
  else assert.notStrictEqual(error.expected, "")
}

// --------------------------------------------------------------------------------------------------- startup

interface Connecting {
  readonly connecting: Fiber.Fiber<Session, PgError.PgError>
  readonly peer: Peer
}

const connecting = (server: ScriptedServer, ...said: ReadonlyArray<Buffer>) =>
  Effect.gen(function* () {
    const connecting = yield* Effect.forkScoped(connect(configOf(server)), { startImmediately: true })
    const peer = yield* server.accept
    yield* peer.startupPacket
    peer.send(...said)
    return { connecting, peer }
  })

const duringScram = (server: ScriptedServer, isProved: boolean) =>
  Effect.gen(function* () {
    const { connecting: fiber, peer } = yield* connecting(server, Say.sasl("SCRAM-SHA-256"))
    const scram = new ScramServer("secret")
    const challenge = scram.challengeTo(yield* peer.message)
    if (isProved) {
      peer.send(Say.saslContinue(challenge))
      scram.proofFor(yield* peer.message)
    }
    return { connecting: fiber, peer }
  })

/** A notice may come at any time, also before the server knows the user. */
const always = { NoticeResponse: golden.NoticeResponse }

const startupPoints: ReadonlyArray<Point<Connecting>> = [
  {
    where: "before authentication",
    reach: connecting,
    expected: "Authentication",
    legal: { ...always, Authentication: Say.authenticationOk }
  },
  {
    where: "where the challenge of SCRAM has to come",
    reach: (server) => duringScram(server, false),
    expected: "Authentication",
    legal: { ...always }
  },
  {
    where: "where the server's proof has to come",
    reach: (server) => duringScram(server, true),
    expected: "Authentication",
    legal: { ...always }
  },
  {
    where: "after AuthenticationOk",
    reach: (server) => connecting(server, Say.authenticationOk),
    expected: "ParameterStatus, BackendKeyData or ReadyForQuery",
    legal: {
      ...always,
      ParameterStatus: golden.ParameterStatus,
      BackendKeyData: golden.BackendKeyData
    }
  }
]

/** These have a meaning of their own in the startup conversation, which other tests show. */
const ownMeaning: ReadonlySet<Name> = new Set([
  "ErrorResponse",
  "Authentication",
  "NegotiateProtocolVersion",
  "ReadyForQuery"
])

describe("the startup conversation", () => {
  for (const { expected, legal, reach, where } of startupPoints) {
    it.live(`accepts the allowed messages ${where}, and no others`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        for (const name of names) {
          const taken = legal[name]
          if (
            taken === undefined &&
            ownMeaning.has(name) &&
            (where !== "after AuthenticationOk" || name === "ErrorResponse")
          )
            continue
          const { connecting, peer } = yield* reach(server)
          peer.send(...(taken === undefined ? [golden[name]] : [taken, NONSENSE]))
          const error = yield* failureOf(connecting)
          const received = taken === undefined ? name : NONSENSE_NAME
          assertNames(error, received, taken === undefined && name !== "ReadyForQuery" ? expected : undefined)
          yield* peer.closed
        }
      }).pipe(Effect.scoped)
    )
  }
})

// --------------------------------------------------------------------------------------------------- queries

interface Asked {
  readonly session: Session
  readonly peer: Peer
  readonly asking: Fiber.Fiber<unknown, PgError.PgError> | undefined
}

interface Question {
  readonly sql?: string
  readonly maxRows?: number
  readonly columns?: typeof columns
  readonly cacheSize?: number
  readonly mode?: StatementMode
}

/** A first run of a statement, which has received this part of its answer. */
const preparing =
  (...said: ReadonlyArray<Buffer>) =>
  (server: ScriptedServer) =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(server)
      const asking = yield* ask(session, "SELECT")
      yield* peer.cycle
      peer.send(...said)
      return { session, peer, asking }
    })

/** A prepared statement that is running, and has received this part of its answer. */
const running =
  (question: Question, ...said: ReadonlyArray<Buffer>) =>
  (server: ScriptedServer) =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(server, {
        statementCache: {
          mode: question.mode ?? "cached",
          size: question.cacheSize ?? 100,
          lifetimeMillis: 0,
          maxSqlBytes: 0
        }
      })
      if (question.cacheSize === 1) {
        const first = yield* ask(session, "SELECT first")
        yield* peer.cycle
        peer.send(Say.described([]))
        yield* peer.cycle
        peer.send(Say.answered("FIRST"))
        yield* Effect.promise(() => new Promise((resolve) => first.addObserver(resolve)))
      }
      const asking = yield* ask(session, question.sql ?? "SELECT", [], question.maxRows ?? 0)
      yield* peer.cycle
      const { columns: described = columns } = question
      peer.send(Say.described(described, { returnsRows: described.length > 0 }))
      yield* peer.cycle
      peer.send(...said)
      return { session, peer, asking }
    })

/** A simple query that has received this part of its answer. */
const scripted =
  (sql: string, ...said: ReadonlyArray<Buffer>) =>
  (server: ScriptedServer) =>
    Effect.gen(function* () {
      const { peer, session } = yield* establish(server)
      const asking = yield* Effect.forkChild(send(session, script(sql)), { startImmediately: true })
      yield* peer.message
      peer.send(...said)
      return { session, peer, asking }
    })

/** Messages that the server sends without a request. */
const unasked = {
  NoticeResponse: golden.NoticeResponse,
  NotificationResponse: golden.NotificationResponse,
  ParameterStatus: golden.ParameterStatus
}

const { ErrorResponse, ReadyForQuery } = golden
const oneRow = Say.row(Say.int4(1), null, Say.int4(3))

const ROWS = "DataRow, CommandComplete, EmptyQueryResponse or PortalSuspended"
const NOTHING = "no message, because no request is waiting for an answer"

/** What may come while a statement returns rows. */
const rowsOrEnd = {
  ...unasked,
  ErrorResponse,
  DataRow: oneRow,
  CommandComplete: Say.commandComplete("SELECT 1"),
  EmptyQueryResponse: Say.emptyQuery,
  CopyOutResponse: Say.copyOut
}

const sessionPoints: ReadonlyArray<Point<Asked>> = [
  {
    where: "in an idle session",
    reach: (server) => Effect.map(establish(server), (both) => ({ ...both, asking: undefined })),
    expected: NOTHING,
    legal: { ...unasked }
  },
  {
    where: "where ParseComplete has to come",
    reach: preparing(),
    expected: "ParseComplete",
    legal: { ...unasked, ErrorResponse, ParseComplete: Say.parseComplete }
  },
  {
    where: "where ParameterDescription has to come",
    reach: preparing(Say.parseComplete),
    expected: "ParameterDescription",
    legal: { ...unasked, ErrorResponse, ParameterDescription: Say.parameterDescription([]) }
  },
  {
    where: "where RowDescription or NoData has to come",
    reach: preparing(Say.parseComplete, Say.parameterDescription([])),
    expected: "RowDescription or NoData",
    legal: { ...unasked, ErrorResponse, NoData: Say.noData, RowDescription: Say.rowDescription(columns) }
  },
  {
    where: "where ReadyForQuery has to come after a description",
    reach: preparing(Say.parseComplete, Say.parameterDescription([]), Say.noData),
    expected: "ReadyForQuery",
    legal: { ...unasked, ErrorResponse, ReadyForQuery }
  },
  {
    where: "where BindComplete has to come",
    reach: running({}),
    expected: "BindComplete",
    legal: { ...unasked, ErrorResponse, BindComplete: Say.bindComplete }
  },
  {
    where: "where CloseComplete has to come before BindComplete",
    reach: running({ cacheSize: 1 }),
    expected: "CloseComplete",
    legal: { ...unasked, ErrorResponse, CloseComplete: Say.closeComplete }
  },
  {
    where: "where ParseComplete has to come before BindComplete",
    reach: running({ mode: "unnamed" }),
    expected: "ParseComplete",
    legal: { ...unasked, ErrorResponse, ParseComplete: Say.parseComplete }
  },
  {
    where: "where BindComplete has to come after ParseComplete",
    reach: running({ mode: "unnamed" }, Say.parseComplete),
    expected: "BindComplete",
    legal: { ...unasked, ErrorResponse, BindComplete: Say.bindComplete }
  },
  {
    where: "where the description of a portal has to come",
    reach: running({ mode: "unnamed" }, Say.parseComplete, Say.bindComplete),
    expected: "RowDescription or NoData of the portal",
    legal: { ...unasked, ErrorResponse, NoData: Say.noData, RowDescription: Say.rowDescription(columns) }
  },
  {
    where: "where rows have to come of a portal that was described",
    reach: running({ mode: "unnamed" }, Say.parseComplete, Say.bindComplete, Say.rowDescription(columns)),
    expected: ROWS,
    legal: rowsOrEnd
  },
  {
    where: "where rows have to come",
    reach: running({}, Say.bindComplete),
    expected: ROWS,
    legal: rowsOrEnd
  },
  {
    where: "between rows",
    reach: running({}, Say.bindComplete, oneRow),
    expected: ROWS,
    legal: rowsOrEnd
  },
  {
    where: "where rows have to come, but not all were asked for",
    reach: running({ maxRows: 1 }, Say.bindComplete),
    expected: ROWS,
    legal: {
      ...rowsOrEnd,
      PortalSuspended: Say.portalSuspended
    }
  },
  {
    where: "where a statement without rows is to end",
    reach: running({ columns: [] }, Say.bindComplete),
    expected: ROWS,
    legal: {
      ...unasked,
      ErrorResponse,
      CommandComplete: Say.commandComplete("DELETE 1"),
      EmptyQueryResponse: Say.emptyQuery,
      CopyOutResponse: Say.copyOut
    }
  },
  {
    where: "where a COPY may begin",
    reach: running({ sql: "SELECT copy", columns: [] }, Say.bindComplete),
    expected: ROWS,
    legal: {
      ...unasked,
      ErrorResponse,
      CommandComplete: Say.commandComplete("COPY 1"),
      EmptyQueryResponse: Say.emptyQuery,
      CopyInResponse: Say.copyIn,
      CopyOutResponse: Say.copyOut
    }
  },
  {
    where: "in a COPY TO STDOUT",
    reach: running({ sql: "SELECT copy", columns: [] }, Say.bindComplete, Say.copyOut),
    expected: "CopyData or CopyDone",
    legal: { ...unasked, ErrorResponse, CopyData: Say.copyData("1"), CopyDone: Say.copyDone }
  },
  {
    where: "after CommandComplete",
    reach: running({}, Say.bindComplete, oneRow, Say.commandComplete("SELECT 1")),
    expected: "ReadyForQuery",
    legal: { ...unasked, ErrorResponse, ReadyForQuery }
  },
  {
    where: "after an ErrorResponse",
    reach: running({}, Say.bindComplete, oneRow, golden.ErrorResponse),
    expected: "ReadyForQuery after an ErrorResponse",
    legal: { ...unasked, ErrorResponse, ReadyForQuery }
  }
]

const STATEMENT = "RowDescription, CommandComplete, EmptyQueryResponse or ReadyForQuery"

/** How a statement of a script may begin, and how one without rows may end. */
const statement = {
  ...unasked,
  ErrorResponse,
  ReadyForQuery,
  RowDescription: Say.rowDescription(columns),
  CommandComplete: Say.commandComplete("BEGIN"),
  EmptyQueryResponse: Say.emptyQuery,
  CopyOutResponse: Say.copyOut
}

const scriptPoints: ReadonlyArray<Point<Asked>> = [
  { where: "where a script begins", reach: scripted("SELECT 1"), expected: STATEMENT, legal: statement },
  {
    where: "where a script may begin a COPY",
    reach: scripted("COPY t FROM STDIN"),
    expected: STATEMENT,
    legal: { ...statement, CopyInResponse: Say.copyIn }
  },
  {
    where: "between two statements of a script",
    reach: scripted("BEGIN; SELECT 1", Say.commandComplete("BEGIN")),
    expected: STATEMENT,
    legal: statement
  },
  {
    where: "during the rows of a script",
    reach: scripted("SELECT 1", Say.rowDescription(columns), oneRow),
    expected: "DataRow or CommandComplete",
    legal: { ...unasked, ErrorResponse, DataRow: oneRow, CommandComplete: Say.commandComplete("SELECT 2") }
  },
  {
    where: "during the COPY TO STDOUT of a script",
    reach: scripted("COPY t TO STDOUT", Say.copyOut),
    expected: "CopyData or CopyDone",
    legal: { ...unasked, ErrorResponse, CopyData: Say.copyData("1"), CopyDone: Say.copyDone }
  },
  {
    where: "after the refusal of a script's COPY FROM STDIN",
    reach: scripted("COPY t FROM STDIN", Say.copyIn),
    expected: "ErrorResponse after CopyFail",
    legal: { ...unasked, ErrorResponse }
  },
  {
    where: "after an error of a script",
    reach: scripted("SELECT 1", Say.rowDescription(columns), golden.ErrorResponse),
    expected: "ReadyForQuery after an ErrorResponse",
    legal: { ...unasked, ErrorResponse, ReadyForQuery }
  }
]

describe("a session", () => {
  for (const { expected, legal, reach, where } of [...sessionPoints, ...scriptPoints]) {
    it.live(`accepts the allowed messages ${where}, and no others`, () =>
      Effect.gen(function* () {
        const server = yield* scriptedServer
        for (const name of names) {
          const taken = legal[name]
          const { asking, peer, session } = yield* reach(server)
          peer.send(...(taken === undefined ? [golden[name]] : [taken, NONSENSE]))
          yield* peer.closed
          const isAnswered = taken !== undefined && name === "ReadyForQuery"
          const error = asking === undefined || isAnswered ? session.lost : yield* failureOf(asking)
          const received = taken === undefined ? name : NONSENSE_NAME
          assertNames(error, received, taken === undefined ? expected : undefined)
          assertNames(session.lost, received, taken === undefined ? expected : undefined)
        }
      }).pipe(Effect.scoped)
    )
  }
})
