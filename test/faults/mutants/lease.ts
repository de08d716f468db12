/** Ways to break the reset that travels with the first request of a lease. */
import type { Mutant } from "./mutants.ts"

const FILE = "session/transaction/dueReset.ts"
const CLEANING = "pool/resetting/cleaning.ts"
const SCRIPTED = "test/pool/travelingReset.sim.test.ts"
const REAL = "test/pool/travelingReset.integration.test.ts"

export const leaseMutants: ReadonlyArray<Mutant> = [
  {
    what: "writes the first request of a lease behind a Sync of its own, so that it runs although the reset has failed",
    edits: [
      {
        file: "session/transaction/ledRequest.ts",
        find: "      if (this.request.mayShareSync === true) return this.request.encode(writer)\n",
        replace:
          "      if (this.request.mayShareSync === true) {\n        writeSync(writer)\n        return this.request.encode(writer)\n      }\n"
      }
    ],
    test: REAL,
    only: "leaves nothing of the request behind it"
  },
  {
    what: "lets more be written before a traveling reset is answered",
    edits: [
      {
        file: "session/transaction/ledRequest.ts",
        find: "readonly exclusive = true",
        replace: "readonly exclusive = false"
      }
    ],
    test: REAL,
    only: "has nothing written behind it"
  },
  {
    what: "lets a savepoint pass in front of the reset",
    edits: [{ file: "session/engine/session.ts", find: "    this.residue.due?.alone()\n", replace: "" }],
    test: REAL,
    only: "leaves nothing that a function of the first has left"
  },
  {
    what: "lends a session before its reset although its borrower has left something",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "session.residue.isSoiled) {",
        replace: "session.residue.isSoiled && !session.residue.isDoubtful) {"
      }
    ],
    test: REAL,
    only: "has a round trip of its own"
  },
  {
    what: "takes a lease for clean because a reset came with its first request",
    edits: [
      {
        file: FILE,
        find: "  protected led(): void {\n",
        replace: "  protected led(): void {\n    this.session.residue.cleaned()\n"
      }
    ],
    test: SCRIPTED,
    only: "has the connection reset once more"
  },
  {
    what: "lends a session to a single call before its reset",
    edits: [{ file: CLEANING, find: "if (takesReset === true) return", replace: "if (takesReset !== false) return" }],
    test: REAL,
    only: "costs no round trip"
  },
  {
    what: "leaves a session unclean as long as no lease comes",
    edits: [
      {
        file: CLEANING,
        find: "if (this.kept.push(member) === 1) queueMicrotask(this.cleanKept)",
        replace: "this.kept.push(member)"
      }
    ],
    test: REAL,
    only: "is sent at once"
  },
  {
    what: "leaves a session unclean as long as its next borrower asks for nothing",
    edits: [{ file: FILE, find: "      if (session.residue.due === due) due.alone()\n", replace: "" }],
    test: REAL,
    only: "is sent at once"
  },
  {
    what: "forgets the reset together with a request that was given up before it was written",
    edits: [
      {
        file: FILE,
        find: "    this.session.liveness.forget(this)\n    resetAhead(this.session)\n",
        replace: "    this.session.liveness.forget(this)\n"
      }
    ],
    test: REAL,
    only: "before its first request is written"
  },
  {
    what: "sends a traveling reset through a pooler",
    edits: [{ file: FILE, find: "  !statements.pooler.isThere &&\n", replace: "" }],
    test: REAL,
    only: "never sees a traveling reset"
  },
  {
    what: "goes on with a session whose traveling reset has failed",
    edits: [{ file: FILE, find: "  session.die((session.closing ??= reason))\n", replace: "" }],
    test: SCRIPTED,
    only: "does not count as run"
  },
  {
    what: "waits for a traveling reset without a bound",
    edits: [{ file: FILE, find: "    session.liveness.watch(both)\n", replace: "" }],
    test: SCRIPTED,
    only: "may take as long as it likes"
  },
  {
    what: "leaves the seed that a borrower has set",
    edits: [
      {
        file: "session/transaction/reset.ts",
        find: "const RESEED = `SET SEED TO",
        replace: "const RESEED = `SET LOCAL seq_page_cost TO"
      }
    ],
    test: "test/pool/residue.integration.test.ts",
    only: "is gone after a lease on a pool, for every statement"
  }
]
