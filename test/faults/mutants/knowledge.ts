/** Mutants that keep what a client knows of statements and types beyond the time when it is true. */
import type { Mutant } from "./mutants.ts"

/** Random programs, compared with connections that cache nothing. */
const ORACLE = {
  test: "test/session/statement/cachePrograms.integration.test.ts",
  environment: { EFFECTPG_CACHE_STEPS: "2500" }
}
const STATEMENTS = "test/session/statement/statementKnowledge.integration.test.ts"
const TYPES = "test/session/types/typesThatChange.integration.test.ts"

export const knowledgeMutants: ReadonlyArray<Mutant> = [
  {
    what: "keeps what FETCH returned",
    edits: [
      {
        file: "session/statement/statementKind.ts",
        find: 'return SILENT.has(word) ? "silent" : "told"',
        replace: 'return SILENT.has(word) ? "silent" : "planned"'
      }
    ],
    ...ORACLE
  },
  {
    what: "keeps its statements after a change of the schema",
    edits: [
      {
        file: "session/types/typeCatalogue.ts",
        find: "    if (isDiscard && !place.hasCreated) return\n",
        replace: "    if (sql !== command) return\n"
      }
    ],
    ...ORACLE
  },
  {
    what: "does not ask again after an error of class 42",
    edits: [
      {
        file: "session/statement/stalePlan.ts",
        find: 'error.code.startsWith("42") || error.code.startsWith("22")',
        replace: 'error.code.startsWith("22")'
      }
    ],
    test: STATEMENTS,
    only: "on every connection"
  },
  {
    what: "does not ask again after a value that it could not write",
    edits: [
      {
        file: "session/exchange/repetition.ts",
        find: "    if (!inUse.isRemembered) return this.askForType(statement, refusedType, error)\n",
        replace: "    if (refusedType !== undefined) return this.request.lost(error)\n"
      }
    ],
    test: TYPES,
    only: "another session has added"
  },
  {
    what: "reads as text what a batch returns of types that it has not met",
    edits: [
      {
        file: "session/exchange/pipeline.ts",
        find: "if (unknown.length > 0 && !isGivenUp)",
        replace: "if (unknown.length > 1_000 && !isGivenUp)"
      }
    ],
    test: TYPES,
    only: "by a batch that makes it"
  },
  {
    what: "copies with the types that it knew",
    edits: [
      {
        file: "connection/copy/copySource.ts",
        find: "return (yield* haveChanged(level, described, oids)) ? yield* describedAsKnown(level, sql, params) : described",
        replace: "return oids.length < 0 ? yield* describedAsKnown(level, sql, params) : described"
      }
    ],
    test: TYPES,
    only: "COPY"
  },
  {
    what: "reads a page again in other formats than those it came in",
    edits: [
      {
        file: "session/exchange/extendedQuery.ts",
        find: "    this.inUse.known = statement\n    this.inUse.asked = statement.rowShape?.resultFormats ?? NONE\n",
        replace: "    this.inUse.known = statement\n"
      }
    ],
    test: TYPES,
    only: "is read by a cursor"
  },
  {
    what: "leaves out a key that a composite has not",
    edits: [{ file: "codec/composite.ts", find: "    refuseMore(value)\n", replace: "" }],
    test: TYPES,
    only: "the name of the key"
  },
  {
    what: "shares types between servers",
    edits: [
      {
        file: "session/types/knownDatabase.ts",
        find: "this.identified.get(identity)",
        replace: "this.identified.values().next().value"
      }
    ],
    test: "test/session/types/knownDatabase.test.ts",
    only: "do not share types between"
  },
  {
    what: "shares its readers with a session that names columns in another way",
    edits: [
      { file: "codec/rowReader.ts", find: "return property === name ? `", replace: 'return property !== "" ? `' }
    ],
    test: "test/codec/columnNames.test.ts",
    only: "are not shared"
  },
  {
    what: "drops one of two columns that are one property",
    edits: [
      {
        file: "codec/rowReader.interpreted.ts",
        find: " && first.name !== second.name) return",
        replace: " && first === second) return"
      }
    ],
    test: "test/codec/columnNames.integration.test.ts",
    only: "refuses rows"
  }
]
