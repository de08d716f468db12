/** Ways to break the look-ahead of streams. */
import type { Mutant } from "./mutants.ts"

const FILE = "connection/paging/lookAhead.ts"
const LOOK_AHEAD = "test/connection/paging/lookAhead.integration.test.ts"

export const streamMutants: ReadonlyArray<Mutant> = [
  {
    what: "asks for pages ahead of a statement that writes",
    edits: [{ file: FILE, find: "      if (hasWritten) return\n", replace: "" }],
    test: LOOK_AHEAD,
    only: "does not run a statement that writes further"
  },
  {
    what: "waits at the end of a stream for a page that nobody wants",
    edits: [
      {
        file: FILE,
        find: "return this.isUnderWay ? Effect.andThen(wait, isSound) : isSound",
        replace: "return this.isUnderWay ? Effect.succeed(wait !== undefined) : isSound"
      }
    ],
    test: LOOK_AHEAD,
    only: "ends soon although a slow page"
  },
  {
    what: "reads on for a reader of a stream that is slow",
    edits: [{ file: FILE, find: "    this.level.session.keepReading(isReading)\n", replace: "" }],
    test: LOOK_AHEAD,
    only: "holds half a mebibyte"
  },
  {
    what: "stops reading although a page of a stream waits for what comes behind",
    edits: [{ file: FILE, find: " && this.awaited === undefined", replace: "" }],
    test: LOOK_AHEAD,
    only: "reads types that it does not know"
  },
  {
    what: "asks for pages ahead in a transaction of the program",
    edits: [
      {
        file: "connection/paging/stream.ts",
        find: "own && new LookAhead(own,",
        replace: "new LookAhead(level,"
      }
    ],
    test: LOOK_AHEAD,
    only: "does not do so in a transaction of the program"
  }
]
