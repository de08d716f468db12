/** Ways to break the BEGIN that travels with the first request of its transaction. */
import type { Mutant } from "./mutants.ts"

const FILE = "session/transaction/dueBegin.ts"
const LED = "session/transaction/ledRequest.ts"
const SCRIPTED = "test/session/transaction/dueBegin.sim.test.ts"
const REAL = "test/transactions/dueBegin.integration.test.ts"

export const beginMutants: ReadonlyArray<Mutant> = [
  {
    what: "writes the first request behind a Sync of its own, so that it runs although BEGIN has failed",
    edits: [
      {
        file: LED,
        find: "      if (this.request.mayShareSync === true) return this.request.encode(writer)\n",
        replace:
          "      if (this.request.mayShareSync === true) {\n        writeSync(writer)\n        return this.request.encode(writer)\n      }\n"
      }
    ],
    test: REAL,
    only: "leaves nothing of the first request"
  },
  {
    what: "writes a script behind BEGIN before that is answered",
    edits: [
      { file: LED, find: "if (this.request.mayShareSync === true) return", replace: "if (!this.isAlone) return" }
    ],
    test: SCRIPTED,
    only: "stands alone in front of a request"
  },
  {
    what: "lets others ask before BEGIN is answered",
    edits: [{ file: FILE, find: "      this.level.take()\n", replace: "" }],
    test: SCRIPTED,
    only: "is refused if it has failed"
  },
  {
    what: "lets others go on in a transaction whose BEGIN has failed",
    edits: [{ file: FILE, find: "this.due.failed(failure)", replace: "this.due.settled()" }],
    test: REAL,
    only: "leaves nothing of the first request"
  },
  {
    what: "forgets the BEGIN of a request that was given up before it was written",
    edits: [{ file: FILE, find: "    this.isDue = true\n    this.settled()\n", replace: "    this.settled()\n" }],
    test: SCRIPTED,
    only: "leaves BEGIN to the next one"
  },
  {
    what: "leaves the others waiting for a BEGIN that a lost connection does not answer",
    edits: [{ file: "session/engine/session.ts", find: "    this.transaction?.sessionLost()\n", replace: "" }],
    test: SCRIPTED,
    only: "is answered if the connection is lost"
  },
  {
    what: "forgets the Close messages that the server has skipped behind a failed BEGIN",
    edits: [{ file: FILE, find: "    for (const name of this.closes) session.statements.close(name)\n", replace: "" }],
    test: SCRIPTED,
    only: "closes what its first request was to close"
  },
  {
    what: "begins with BEGIN alone what is not one statement",
    edits: [{ file: FILE, find: '(sql === "BEGIN" || BEGINS_ONLY.test(sql))', replace: 'sql.startsWith("BEGIN")' }],
    test: REAL,
    only: "may be any text that begins one"
  },
  {
    what: "commits a transaction that has sent no BEGIN",
    edits: [
      {
        file: "session/transaction/transactionLevel.ts",
        find: "    if (this.due?.isDue === true && lost === undefined) return exit\n",
        replace: ""
      }
    ],
    test: SCRIPTED,
    only: "is never written if there is no request"
  }
]
