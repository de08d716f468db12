/** Ways to break the client on purpose, each with the tests that have to notice. The product has no switch for them. */
import { beginMutants } from "./begin.ts"
import { hostMutants } from "./hosts.ts"
import { knowledgeMutants } from "./knowledge.ts"
import { kyselyMutants } from "./kysely.ts"
import { leaseMutants } from "./lease.ts"
import { migratorMutants } from "./migrator.ts"
import { openingMutants } from "./opening.ts"
import { poolerMutants } from "./pooler.ts"
import { readsMutants } from "./reads.ts"
import { sharingMutants } from "./sharing.ts"
import { streamMutants } from "./streams.ts"
import { testKitMutants } from "./testKit.ts"

export interface Edit {
  /** Relative to src. */
  readonly file: string
  /** Occurs there exactly once. */
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly what: string
  readonly edits: ReadonlyArray<Edit>
  /** The test file that notices, and a part of the names of its tests. */
  readonly test: string
  readonly only?: string
  /** Environment variables that select tests. */
  readonly environment?: Readonly<Record<string, string>>
}

const POISONING = "test/faults/poisoning.integration.test.ts"
const BOUNDARIES = "test/faults/boundaries.integration.test.ts"
const PROGRAMS = "test/transactions/programs.integration.test.ts"
const MIXED = "test/sqlClient/mixedTransactions.integration.test.ts"
const RESET = "test/pool/memberReset.integration.test.ts"
const RESIDUE = "test/pool/residue.integration.test.ts"
const ACQUISITION = "test/faults/acquisition.integration.test.ts"
const OUTCOME_AUDIT = "test/faults/outcomeAudit.integration.test.ts"
const OUTCOME_OF_ERRORS = "test/faults/outcomeOfErrors.integration.test.ts"
const LAST_WORD = "test/session/engine/lastWord.sim.test.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...beginMutants,
  ...hostMutants,
  ...knowledgeMutants,
  ...poolerMutants,
  ...kyselyMutants,
  ...leaseMutants,
  ...migratorMutants,
  ...openingMutants,
  ...readsMutants,
  ...sharingMutants,
  ...streamMutants,
  ...testKitMutants,
  {
    what: "sends undefined as NULL",
    edits: [
      {
        file: "wire/frontendEncoder.ts",
        find: "      if (value === null) {\n",
        replace: "      if (value === null || value === undefined) {\n"
      }
    ],
    test: "test/wire/frontendEncoder.test.ts",
    only: "refuses undefined"
  },
  {
    what: "skips the status check when a connection comes back",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "} else if (session.transactionStatus !== TransactionStatus.idle) {",
        replace: "} else if (session.transactionStatus === undefined) {"
      }
    ],
    test: POISONING,
    only: "an open transaction"
  },
  {
    what: "lends a connection that comes back with a request under way",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "    if (!session.settled) {\n",
        replace: "    if (session.lost !== undefined) {\n"
      }
    ],
    test: "test/pool/sessionPool.test.ts",
    only: "before its requests are answered"
  },
  {
    what: "lends a connection whose cancel is under way",
    edits: [
      {
        file: "session/engine/session.ts",
        find: "this.inFlight.length === 0 && !this.fence.raised",
        replace: "this.inFlight.length === 0"
      }
    ],
    test: "test/session/engine/cancel.sim.test.ts",
    only: "leaves the session unsettled"
  },
  {
    what: "waits for its turn deaf to interruptions",
    edits: [
      {
        file: "session/transaction/transactionLevel.ts",
        find: "Effect.onExit(restore(turn.wait), (exit) =>",
        replace: "Effect.onExit(turn.wait, (exit) =>"
      }
    ],
    test: "test/transactions/turns.integration.test.ts",
    only: "before its turn with begin"
  },
  {
    what: "runs a statement again after it was written",
    edits: [
      {
        file: "pool/pooledCall.ts",
        find: "    this.resume(exit)\n",
        replace:
          '    if (String(exit).includes("ConnectionLostError")) this.pool.acquire(this)\n    else this.resume(exit)\n'
      }
    ],
    test: BOUNDARIES,
    environment: { EFFECTPG_INJECTIONS: "a cached query that writes / reset the socket" }
  },
  {
    what: "drops a Sync",
    edits: [
      {
        file: "wire/frontendEncoder.ts",
        find: "  writeExecute(writer, maxRows)\n  writer.raw(SYNC_BYTES)\n",
        replace: "  writeExecute(writer, maxRows)\n"
      }
    ],
    test: BOUNDARIES,
    environment: { EFFECTPG_INJECTIONS: "a cached query / interrupt / " }
  },
  {
    what: "swaps two replies",
    edits: [
      {
        file: "session/engine/session.ts",
        find: "      this.inFlight.push(exchange)\n",
        replace:
          "      const before = this.inFlight.length > 1 ? this.inFlight.last() : undefined\n" +
          "      if (before !== undefined) this.inFlight.remove(before)\n" +
          "      this.inFlight.push(exchange)\n" +
          "      if (before !== undefined) this.inFlight.push(before)\n"
      }
    ],
    test: BOUNDARIES,
    environment: { EFFECTPG_INJECTIONS: "a pipeline of eight / interrupt / " }
  },
  {
    what: "ignores the tag that COMMIT is answered with",
    edits: [
      {
        file: "session/transaction/ending.ts",
        find: '  if (answer.value.at(-1)?.command === "COMMIT") return Effect.void\n',
        replace: "  if (answer.value.length > 0) return Effect.void\n"
      }
    ],
    test: "test/transactions/commitTag.sim.test.ts"
  },
  {
    what: "ignores that a transaction has failed, and the tag that COMMIT is answered with",
    edits: [
      {
        file: "session/transaction/transactionLevel.ts",
        find: "    switch (transactionStatus) {",
        replace:
          "    switch (transactionStatus === TransactionStatus.failed ? TransactionStatus.inTransaction : transactionStatus) {"
      },
      {
        file: "session/transaction/ending.ts",
        find: '  if (answer.value.at(-1)?.command === "COMMIT") return Effect.void\n',
        replace: "  if (answer.value.length > 0) return Effect.void\n"
      }
    ],
    test: PROGRAMS
  },
  {
    what: "leaks a waiter",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "      if (this.waiting.remove(waiting)) this.meter?.changed(this.counts)\n",
        replace: ""
      }
    ],
    test: BOUNDARIES,
    environment: { EFFECTPG_INJECTIONS: "connecting with SCRAM for a transaction / interrupt / " }
  },
  {
    what: "rolls back to no savepoint",
    edits: [
      {
        file: "session/transaction/ending.ts",
        find: "`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`",
        replace: "`RELEASE SAVEPOINT ${savepoint}`"
      }
    ],
    test: PROGRAMS
  },
  {
    what: "writes behind a query that is being cancelled",
    edits: [
      {
        file: "session/engine/session.ts",
        find: "this.isSocketFull && this.exclusive === undefined && !this.fence.raised) {",
        replace: "this.isSocketFull && this.exclusive === undefined) {"
      }
    ],
    test: "test/session/engine/cancel.sim.test.ts"
  },
  {
    what: "keeps the settings of the last borrower",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "} else if (session.residue.isSoiled) {",
        replace: "} else if (session.residue.isSoiled && this.isClosed) {"
      }
    ],
    test: POISONING,
    only: "a setting is gone"
  },
  {
    what: "takes a COMMIT without an answer for a failure like any other",
    edits: [
      {
        file: "session/transaction/ending.ts",
        find: ": new PgError.CommitOutcomeUnknownError({ lost, transactionId })",
        replace: ": lost"
      }
    ],
    test: "test/transactions/bank.integration.test.ts"
  },
  {
    what: "sends no CancelRequest",
    edits: [
      { file: "session/engine/fence.ts", find: "    this.cancel(() => {\n", replace: "    queueMicrotask(() => {\n" }
    ],
    test: "test/faults/latency.integration.test.ts",
    only: "of a query returns at once"
  },
  {
    what: "does not listen to what a server says when it goes",
    edits: [
      {
        file: "session/engine/lostErrors.ts",
        find: 'code === "57P01" || code === "57P02"',
        replace: 'code === ""'
      }
    ],
    test: "test/faults/parting.sim.test.ts"
  },
  {
    what: "lends a session while its reset is under way",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "      this.cleaning.clean(member)\n",
        replace:
          '      session.residue.cleaned()\n      this.cleaning["reset"](member, () => {})\n      this.offer(member, now)\n'
      }
    ],
    test: RESET,
    only: "has no request of the next borrower"
  },
  {
    what: "resets in the modes that the last borrower has left",
    edits: [{ file: "session/transaction/reset.ts", find: "BEGIN ISOLATION LEVEL READ COMMITTED", replace: "BEGIN" }],
    test: RESET,
    only: "waits for no transaction of other sessions"
  },
  {
    what: "does not run init again after a reset",
    edits: [
      {
        file: "pool/resetting/memberReset.ts",
        find: "if (init === undefined) return resetByScript",
        replace: "if (reset === undefined) return resetByScript"
      }
    ],
    test: RESET,
    only: "leaves the next borrower another user"
  },
  {
    what: "takes a DO for a statement that changes nothing",
    edits: [{ file: "session/statement/soiling.ts", find: '  "VACUUM",\n', replace: '  "VACUUM",\n  "DO",\n' }],
    test: RESIDUE,
    only: "a single DO on a pool,"
  },
  {
    what: "takes a statement that has failed for one that changed nothing",
    edits: [
      {
        file: "session/engine/residue.ts",
        find: "    if (!failureIsSoiling(sql)) return\n",
        replace: "    if (sql.length > 0) return\n"
      }
    ],
    test: RESIDUE,
    only: "a single DO that fails on a pool,"
  },
  {
    what: "keeps statements that were prepared in SQL",
    edits: [
      {
        file: "pool/resetting/memberReset.ts",
        find: "preparedInSql(exit.value) > 0",
        replace: "preparedInSql(exit.value) < 0"
      }
    ],
    test: RESIDUE,
    only: "after a lease on a pool,"
  },
  {
    what: "does not hear that a setting has changed",
    edits: [{ file: "session/engine/session.ts", find: "        this.residue.isSoiled = true\n", replace: "" }],
    test: RESET,
    only: "the server reports"
  },
  {
    what: "loses what was lent to a fiber that is interrupted at once",
    edits: [{ file: "pool/poolSource.ts", find: "    else giveBack(this.lease)\n", replace: "" }],
    test: ACQUISITION,
    only: "withConnection gives everything back to its pool"
  },
  {
    what: "gives a session back twice",
    edits: [
      {
        file: "pool/pooledCall.ts",
        find: "    const { member } = this\n    this.member = undefined\n    if (member !== undefined) {\n",
        replace: "    const { member } = this\n    if (member !== undefined) {\n"
      }
    ],
    test: ACQUISITION,
    only: "a query gives everything back to its pool"
  },
  {
    what: "waits for a silent server at its close",
    edits: [
      { file: "pool/opening/openPool.ts", find: "    for (const session of open) session.terminate()\n", replace: "" }
    ],
    test: "test/faults/silence.integration.test.ts",
    only: "holds up the close"
  },
  {
    what: "pauses after a final refusal",
    edits: [
      {
        file: "pool/opening/retries.ts",
        find: "return isAwaited && this.refusals > 0 && this.standingRefusal === undefined",
        replace: "return false"
      }
    ],
    test: "test/pool/sessionPool.test.ts",
    only: "answers each call at once after a refusal"
  },
  {
    what: "calls a function without its schema",
    edits: [
      {
        file: "session/transaction/reset.ts",
        find: "SELECT pg_catalog.pg_advisory_unlock_all()",
        replace: "SELECT pg_advisory_unlock_all()"
      }
    ],
    test: "test/hostileSearchPath.integration.test.ts",
    only: "reaches none of our own queries"
  },
  {
    what: "has an outcome of none for what was written and not answered",
    edits: [
      {
        file: "session/engine/lostErrors.ts",
        find: 'outcome: asksOnly || isRolledBack ? "none" : "unknown"',
        replace: 'outcome: asksOnly || !isRolledBack ? "none" : "unknown"'
      }
    ],
    test: OUTCOME_AUDIT,
    only: "is true, wherever it is lost",
    environment: { EFFECTPG_INJECTIONS: "execute, known / cut / " }
  },
  {
    what: "has an outcome of none for what has run and waits for its types",
    edits: [
      {
        file: "session/engine/lostErrors.ts",
        find: "exchange.hasRun ? lostInFlight(exchange, error) : lostBeforeWrite(error)",
        replace: "exchange.abandoned ? lostInFlight(exchange, error) : lostBeforeWrite(error)"
      }
    ],
    test: OUTCOME_AUDIT,
    only: "is true, wherever it is lost",
    environment: { EFFECTPG_INJECTIONS: "fetch of a new type in a record / kill the backend / " }
  },
  {
    what: "has an outcome that the error of a lookup decides, though the statement has been committed",
    edits: [
      {
        file: "session/exchange/extendedQuery.ts",
        find: "return this.part !== undefined || mayOutlastError(this.sql)",
        replace: "return mayOutlastError(this.sql)"
      }
    ],
    test: "test/session/types/typeCatalogue.sim.test.ts",
    only: "an error of the lookup"
  },
  {
    what: "has an outcome of none where a pooler has the last word",
    edits: [
      {
        file: "session/statement/outcome.ts",
        find: 'return isLastWord && !isOfBackend(fields) ? "unknown" : "none"',
        replace: 'return isLastWord && isPanic(fields) ? "unknown" : "none"'
      }
    ],
    test: LAST_WORD
  },
  {
    what: "has an outcome of none where the server leaves after the command was complete",
    edits: [
      {
        file: "session/statement/outcome.ts",
        find: "isPanic(fields) || (hasRun && isFatal(fields))",
        replace: "isPanic(fields) || (hasRun && isPanic(fields))"
      }
    ],
    test: "test/session/engine/session.sim.test.ts",
    only: "after the command was complete"
  },
  {
    what: "has an outcome of none for a transaction that its body may have committed unheard",
    edits: [
      { file: "session/engine/lostErrors.ts", find: 'mayEnd(sql) ? "COMMIT" : ""', replace: 'mayEnd(sql) ? "" : ""' }
    ],
    test: LAST_WORD,
    only: "may have ended it"
  },
  {
    what: "has an outcome of none for what commits in a request that has ended its transaction",
    edits: [
      {
        file: "session/engine/session.ts",
        find: "    if (mayHaveEnded(tag.command)) this.begunIn = TransactionStatus.idle\n",
        replace: ""
      }
    ],
    test: OUTCOME_OF_ERRORS,
    only: "with cached statements"
  },
  {
    what: "has an outcome of none for a CALL that has failed",
    edits: [{ file: "session/statement/outcome.ts", find: '["call", true]', replace: '["call", false]' }],
    test: OUTCOME_OF_ERRORS,
    only: "with cached statements"
  },
  {
    what: "has an outcome of none for a script whose last statement was complete",
    edits: [{ file: "session/exchange/simpleQuery.ts", find: "(hasRun && !mayBeSeveral(sql)) || ", replace: "" }],
    test: LAST_WORD,
    only: "a single statement of a script"
  },
  {
    what: "has an outcome of none for rows of which some were sent before one could not be",
    edits: [
      {
        file: "session/request/manyRequest.ts",
        find: "blockBytes: mayOutlastError(this.sql) ? Infinity : BLOCK_BYTES",
        replace: "blockBytes: BLOCK_BYTES"
      }
    ],
    test: OUTCOME_OF_ERRORS,
    only: "with cached statements"
  },
  {
    what: "leaves readers waiting where the pool has ended",
    edits: [
      {
        file: "pool/notificationHub.ts",
        find: "      for (const mailbox of this.mailboxes) mailbox.fail(new PgError.PoolClosedError())\n",
        replace: ""
      }
    ],
    test: "test/PgNotification.integration.test.ts",
    only: "if it outlives the pool"
  },
  {
    what: "goes on to connect for readers that have left",
    edits: [{ file: "pool/notificationHub.ts", find: "      opening.fiber?.interruptUnsafe()\n", replace: "" }],
    test: "test/pool/notificationHub.test.ts",
    only: "have one connection opened"
  },
  {
    what: "ends a cursor deaf to interruptions",
    edits: [
      {
        file: "connection/paging/stream.ts",
        find: "own.level.commitByHand(Effect.interruptible)",
        replace: "own.level.commitByHand()"
      }
    ],
    test: "test/faults/silentEndings.integration.test.ts",
    only: "a resource of a connection that is interrupted as it ends"
  },
  {
    what: "waits for what runs behind a transaction however long it takes",
    edits: [{ file: "session/transaction/afterEnd.ts", find: "inBackground(this.run()))", replace: "this.run())" }],
    test: "test/transactions/afterEnd.integration.test.ts",
    only: "delays no interrupted fiber"
  },
  {
    what: "loses the callbacks behind one during which the fiber was interrupted",
    edits: [
      { file: "session/transaction/afterEnd.ts", find: "() => this.runAtTheEnd)", replace: "() => Effect.void)" }
    ],
    test: MIXED,
    only: "a callback of sql that has begun"
  },
  {
    what: "takes statements of sql for none of the native transaction around them",
    edits: [
      {
        file: "connection/router.ts",
        find: "new Router(source, this.key, observer, this.companions)",
        replace: "new Router(source, undefined, observer, this.companions)"
      }
    ],
    test: MIXED,
    only: "lets both see what either has written"
  },
  {
    what: "batches the requests of a native transaction with those outside of it",
    edits: [
      {
        file: "sqlClient/transactions.ts",
        find: "Context.add(CurrentTransactionService, service)",
        replace: "(known) => known"
      }
    ],
    test: MIXED,
    only: "keeps its requests apart"
  },
  {
    what: "takes a handle for no transaction",
    edits: [
      {
        file: "connection/router.ts",
        find: "level.isTransaction ? inside(level, fiber)",
        replace: "level.isTransaction && level !== this.source.level ? inside(level, fiber)"
      }
    ],
    test: "test/transactions/afterEnd.integration.test.ts",
    only: "if the handle is asked for it"
  }
]
