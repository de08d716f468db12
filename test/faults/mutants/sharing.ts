/** Ways to break the sharing of connections among short statements. */
import type { Mutant } from "./mutants.ts"

const MULTIPLEXER = "pool/multiplexing/multiplexer.ts"
const SHORT = "pool/multiplexing/shortStatements.ts"
const ON_A_SERVER = "test/pool/multiplexing/multiplexer.integration.test.ts"

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
    edits: [{ file: SHORT, find: " && lateShare <= MAX_LATE_SHARE", replace: " && lateShare <= 1" }],
    test: "test/pool/multiplexing/shortStatements.test.ts",
    only: "late again and again"
  }
]
