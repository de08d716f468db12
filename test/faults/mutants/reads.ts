/** Ways to break reads on standbys. */
import type { Mutant } from "./mutants.ts"

const ROUTING = "test/reads/routing.integration.test.ts"
const FRESHNESS = "test/reads/freshness.integration.test.ts"
const GONE = "test/reads/standbysGone.integration.test.ts"
const OBSERVING = "test/reads/observing.integration.test.ts"
const ECOSYSTEM = "test/reads/ecosystem.integration.test.ts"

export const readsMutants: ReadonlyArray<Mutant> = [
  {
    what: "reads: takes a call out of its transaction",
    edits: [
      {
        file: "reads/readsRouter.ts",
        find: "readOnly === false || this.bondOf(fiber) !== undefined",
        replace: "readOnly === false"
      },
      { file: "reads/readsRouter.ts", find: "new Router(lender, this.key,", replace: "new Router(lender, undefined," }
    ],
    test: ROUTING,
    only: "stays in its transaction"
  },
  {
    what: "reads: sends a call that says that it writes to a standby",
    edits: [{ file: "reads/readsRouter.ts", find: "readOnly === false || ", replace: "" }],
    test: ROUTING,
    only: "the option readOnly"
  },
  {
    what: "reads: sends every statement of a region to a standby",
    edits: [{ file: "reads/onlyReads.ts", find: "return isQuery || (", replace: "return true || isQuery || (" }],
    test: ROUTING,
    only: "each other kind of call"
  },
  {
    what: "reads: sends a notification to a standby",
    edits: [
      {
        file: "connection/baseQueryable.ts",
        find: '"notify", request, { ...known, readOnly: false }',
        replace: '"notify", request, known'
      }
    ],
    test: ROUTING,
    only: "each other kind of call"
  },
  {
    what: "reads: begins a transaction that writes on a standby",
    edits: [{ file: "connection/transaction.ts", find: 'access === "read only" && isolation', replace: "isolation" }],
    test: ROUTING,
    only: "each other kind of call"
  },
  {
    what: "reads: asks a standby for the outcome of a transaction",
    edits: [{ file: "PgTransaction.ts", find: ", { readOnly: false }", replace: "" }],
    test: ROUTING,
    only: "the outcome of a transaction"
  },
  {
    what: "reads: shares the region among clients",
    edits: [{ file: "reads/readsRouter.ts", find: "${regions++}", replace: "${regions}" }],
    test: ROUTING,
    only: "of one client"
  },
  {
    what: "reads: lets the own pool connect to a standby",
    edits: [{ file: "reads/settings.ts", find: '"any" ? "read-write"', replace: '"any" ? "any"' }],
    test: "test/reads/settings.test.ts",
    only: "those of the pool for reads too"
  },
  {
    what: "reads: takes every session for up to date",
    edits: [{ file: "reads/replay.ts", find: "?? -1n) >= lsn", replace: "?? lsn) >= lsn" }],
    test: FRESHNESS,
    only: "if no standby is there in time"
  },
  {
    what: "reads: checks one session and reads on another",
    edits: [
      {
        file: "reads/replay.ts",
        find: "this.isAt(session, lsn)\n        ? request",
        replace: "this.seen++ > 0\n        ? request"
      },
      { file: "reads/replay.ts", find: "export class Replay {", replace: "export class Replay {\n  private seen = 0" }
    ],
    test: FRESHNESS,
    only: "if another is not"
  },
  {
    what: "reads: takes the position that is written for the one at which the log goes on",
    edits: [
      {
        file: "call/lsn.ts",
        find: "HEADERS.includes(inPage) ? formatLsn(lsn - inPage) : next",
        replace: "next"
      }
    ],
    test: FRESHNESS,
    only: "end of a page"
  },
  {
    what: "reads: asks the same session again and again",
    edits: [{ file: "reads/freshReads.ts", find: "      this.behind(answered.session)\n", replace: "" }],
    test: FRESHNESS,
    only: "if another is not"
  },
  {
    what: "reads: keeps a session whose standby is behind",
    edits: [
      {
        file: "reads/freshReads.ts",
        find: "Exit.isSuccess(exit) && Option.isSome(exit.value) ? Effect.void",
        replace: "Exit.isSuccess(exit) ? Effect.void"
      }
    ],
    test: FRESHNESS,
    only: "gives back"
  },
  {
    what: "reads: does not let the primary read",
    edits: [
      { file: "reads/standbyReads.ts", find: "return reachability.isCutOff ? otherwise() : ", replace: "return " }
    ],
    test: GONE,
    only: "in place of a pool"
  },
  {
    what: "reads: makes reads wait for the pool's next attempt",
    edits: [{ file: "reads/reachability.ts", find: "this.isCutOff) this.sessions", replace: "false) this.sessions" }],
    test: GONE,
    only: "in place of a pool"
  },
  {
    what: "reads: tries no more to reach a standby that no call waits for",
    edits: [{ file: "reads/standbyReads.ts", find: "        reachability.tryAgain()\n", replace: "" }],
    test: GONE,
    only: "in place of a pool"
  },
  {
    what: "reads: stays at a primary that stands in for a standby",
    edits: [
      { file: "reads/reachability.ts", find: "    this.lookLater()\n    session.onEnd", replace: "    session.onEnd" }
    ],
    test: GONE,
    only: "a standby again once"
  },
  {
    what: "reads: names the first host, whichever ran the call",
    edits: [
      {
        file: "session/observing/whereabouts.ts",
        find: "    this.target = target\n    if (",
        replace: "    if (false && "
      }
    ],
    test: OBSERVING,
    only: "names the server that ran it"
  },
  {
    what: "reads: counts all operations for the first host",
    edits: [{ file: "session/observing/observer.ts", find: "this.metricsAt(where.place)", replace: "this.metrics" }],
    test: OBSERVING,
    only: "tell the servers apart"
  },
  {
    what: "reads: closes the connections of both pools while calls run on them",
    edits: [
      {
        file: "reads/readingClient.ts",
        find: "makePool(own), yield* Scope.fork(both)",
        replace: "makePool(own), both"
      },
      { file: "reads/readingClient.ts", find: "const scope = yield* Scope.fork(both)", replace: "const scope = both" }
    ],
    test: ECOSYSTEM,
    only: "waits for those in use"
  }
]
