/** Ways to break what the client does behind a pooler, each with the test that has to notice. */
import type { Mutant } from "./mutants.ts"

const LOST_NAME = "test/session/engine/asking/lostName.integration.test.ts"
const LOST_NAME_SIM = "test/session/engine/asking/lostName.sim.test.ts"
const STARTUP = "test/session/transaction/startupCheck.integration.test.ts"
const MOVED = "test/session/transaction/movedSessions.integration.test.ts"

export const poolerMutants: ReadonlyArray<Mutant> = [
  {
    what: "goes on using names behind a pooler that loses statements",
    edits: [
      {
        file: "session/pooler/pooler.ts",
        find: "    this.losesStatements = true\n    this.isProven = true\n",
        replace: "    this.isProven = true\n"
      }
    ],
    test: LOST_NAME,
    only: "runs the first lost statement again"
  },
  {
    what: "takes every lost name for the work of a pooler",
    edits: [
      {
        file: "session/engine/asking/lostName.ts",
        find: "else if (answer === String(session.processId)) pooler.clear()",
        replace: 'else if (answer === "") pooler.clear()'
      }
    ],
    test: LOST_NAME,
    only: "goes on using names after a function"
  },
  {
    what: "trusts names in transactions behind a pooler",
    edits: [
      {
        file: "session/statement/statementCache.ts",
        find: "return this.pooler.isThere &&",
        replace: "return !this.pooler.isThere &&"
      }
    ],
    test: LOST_NAME,
    only: "fails no transaction and no batch"
  },
  {
    what: "runs a lost statement again for a borrower that has left",
    edits: [
      {
        file: "session/engine/asking/question.ts",
        find: "return this.whole === undefined",
        replace: "return true"
      }
    ],
    test: LOST_NAME_SIM,
    only: "writes nothing more"
  },
  {
    what: "does not set again what a reset behind a pooler takes away",
    edits: [{ file: "pool/resetting/memberReset.ts", find: "if (!isLost) return whole()", replace: "return whole()" }],
    test: STARTUP,
    only: "are in force after each reset"
  },
  {
    what: "sets again what a pooler ignores, for other clients to find",
    edits: [
      {
        file: "session/pooler/startupSettings.ts",
        find: ".filter(([name]) => !this.ignored.has(name) || mayBeSetAgain(name))",
        replace: ".filter(([name]) => name !== undefined)"
      }
    ],
    test: "test/session/pooler/startupSettings.test.ts",
    only: "are not set again if a pooler ignores them"
  },
  {
    what: "reports success for an advisory lock that was elsewhere",
    edits: [
      {
        file: "connection/advisoryLock.ts",
        find: "(lock.wasElsewhere ? Effect.fail",
        replace: "(lock.key.length > 2 ? Effect.fail"
      }
    ],
    test: MOVED,
    only: "does not report success"
  }
]
