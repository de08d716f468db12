/** Ways to break the sharing of connections among short statements. */
import type { Mutant } from "./mutants.ts"

const MULTIPLEXER = "pool/multiplexing/multiplexer.ts"
const SHORT = "pool/multiplexing/shortStatements.ts"
const ROUND_TRIPS = "pool/roundTrips.ts"
const UNDECIDED = "pool/multiplexing/undecidedCall.ts"
const ON_A_SERVER = "test/pool/multiplexing/multiplexer.integration.test.ts"
const WAITING = "test/pool/multiplexing/undecidedCalls.integration.test.ts"

export const sharingMutants: ReadonlyArray<Mutant> = [
  {
    what: "lets short statements starve while others wait for a connection to themselves",
    edits: [{ file: MULTIPLEXER, find: "this.othersWait ? seat.since : now", replace: "this.othersWait ? 0 : now" }],
    test: ON_A_SERVER,
    only: "gives short statements their turn"
  },
  {
    what: "never gives a connection on while short statements come",
    edits: [{ file: MULTIPLEXER, find: "this.othersWait ? seat.since : now", replace: "now" }],
    test: ON_A_SERVER,
    only: "soon gives a transaction a connection to itself"
  },
  {
    what: "shares a text that is long again and again",
    edits: [{ file: SHORT, find: " && known.lateShare <= MAX_LATE_SHARE", replace: " && known.lateShare <= 1" }],
    test: "test/pool/multiplexing/shortStatements.test.ts",
    only: "late again and again"
  },
  {
    what: "never measures the line of a shared session again",
    edits: [{ file: ROUND_TRIPS, find: "measurement.isDoubtful = true", replace: "measurement.isDoubtful = false" }],
    test: "test/pool/multiplexing/slowLine.integration.test.ts",
    only: "although the line was faster"
  },
  {
    what: "ignores for ever how long a shared text takes if it may have been prepared",
    edits: [{ file: SHORT, find: "++known.untold < MAX_UNTOLD_RUNS", replace: "++known.untold < Infinity" }],
    test: "test/pool/multiplexing/shortStatements.test.ts",
    only: "takes long on a slow line"
  },
  {
    what: "lets calls that wait not share when their text proves to be short",
    edits: [{ file: MULTIPLEXER, find: ")) this.reconsider(sql)", replace: ")) this.expect()" }],
    test: WAITING,
    only: "sent together"
  },
  {
    what: "takes the place of all that wait to share along with an interrupted call",
    edits: [
      {
        file: UNDECIDED,
        find: "if (this.shared !== undefined) return this.shared.interrupt()",
        replace: "if (this.shared !== undefined) { this.leavePool(); return this.shared.interrupt() }"
      }
    ],
    test: WAITING,
    only: "keeps its place"
  },
  {
    what: "gives a call that waits to share its full time anew",
    edits: [{ file: UNDECIDED, find: "this.resume, this.askedAt)", replace: "this.resume, this.askedAt + 1_000)" }],
    test: WAITING,
    only: "no longer than acquireTimeout"
  }
]
