/** Tests that every file of src/session has a test of its name in its room, or a reason that names the test that covers it. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"

const repository = new URL("../../", import.meta.url)

/** A test file in the reason of a file. */
const TEST = /test\/[\w./]+\.test\.ts/g

/** Why a file of src/session has no test of its name: one sentence for each that names the tests which cover the file. */
const REASONS: Readonly<Record<string, string>> = {
  "observing/asked.ts": "test/session/observing/summary.test.ts tests the summaries that it keeps.",
  "observing/comment.ts":
    "Only a server shows the text: test/observability/comment.integration.test.ts reads it there.",
  "observing/metrics.ts": "test/observability/metrics.integration.test.ts reads them as an exporter receives them.",
  "observing/observer.ts":
    "It reports calls of all rooms: test/observer.integration.test.ts tests it through the public API.",
  "observing/queryReader.ts": "test/session/observing/summary.test.ts has a table of the queries that it reads.",
  "observing/spans.ts": "test/observability/spans.integration.test.ts reads them as an exporter receives them.",
  "observing/sqlTokens.ts": "test/session/observing/summary.test.ts has comments, quotes and names in its statements.",
  "observing/target.ts": "test/observability/spans.integration.test.ts reads its attributes.",
  "observing/whereabouts.ts":
    "test/reads/observing.integration.test.ts reads which server an operation is reported at.",
  "observing/transactionSpan.ts": "test/observability/spans.integration.test.ts has transactions with retries.",

  "engine/firstFailure.ts": "test/mistakes.integration.test.ts has transactions that go on after a failure.",

  "opening/hostLoop.ts": "test/session/opening/hosts.sim.test.ts has hosts of every kind in its lists.",
  "opening/knownHosts.ts": "test/session/opening/hosts.sim.test.ts has an address that was silent before.",
  "opening/lookup.ts": "test/failover/failover.integration.test.ts has a name that moves.",
  "opening/place.ts": "test/session/opening/hosts.sim.test.ts reads the place in each error.",
  "opening/role.ts": "test/failover/roles.integration.test.ts asks real servers of every role.",

  "encryption/channelBinding.ts":
    "test/session/encryption/certificate.test.ts has its hashes, and test/session/opening/authentication/channelBinding.integration.test.ts the server's.",
  "encryption/derReader.ts":
    "test/session/encryption/certificate.test.ts reads whole and damaged certificates with it.",

  "engine/exchange.ts":
    "It defines an interface and one error, which test/session/engine/order.sim.test.ts provokes at every point.",
  "engine/fence.ts":
    "test/session/engine/cancel.sim.test.ts tests the requests that the fence around a cancel holds back.",
  "engine/asking/identification.ts":
    "Only a failover shows it: test/session/types/twoServers.integration.test.ts has two servers.",
  "engine/asking/question.ts":
    "Only a server answers it: test/session/engine/asking/lostName.integration.test.ts asks one through it.",
  "engine/residue.ts": "test/pool/residue.integration.test.ts compares it with what PostgreSQL keeps in a session.",
  "engine/withdrawal.ts": "test/session/engine/cancel.sim.test.ts ends leases while requests wait.",

  "exchange/awaiting.ts": "It has only names; test/session/engine/order.sim.test.ts expects them in the errors.",
  "exchange/copyExchange.ts":
    "It is the part that test/session/exchange/copyInExchange.sim.test.ts and test/session/exchange/copyOutExchange.sim.test.ts share.",
  "exchange/pipeline.ts": "test/session/request/manyRequest.sim.test.ts tests what it writes and accepts.",
  "exchange/pipelinePlan.ts":
    "test/session/request/manyRequest.sim.test.ts runs plans, and test/connection/pipeline/batch.integration.test.ts those of a batch.",
  "exchange/repetition.ts":
    "test/session/exchange/extendedQuery.sim.test.ts tests when a statement is described again.",
  "exchange/rowCollector.ts": "test/connection/malformedRows.sim.test.ts tests both ways in which it takes rows.",
  "exchange/runWriter.ts": "test/session/request/manyRequest.sim.test.ts tests the runs that it writes.",
  "exchange/simpleQuery.ts": "test/session/engine/order.sim.test.ts answers it with every message.",
  "exchange/unreadRows.ts":
    "Its lookups and texts need a server: test/sqlClient/passingStatements.integration.test.ts reads such rows.",
  "exchange/unreadRuns.ts": "test/connection/unread.integration.test.ts has a pipeline read rows of unknown types.",
  "exchange/typeLookup.ts":
    "Its lookups need a catalogue: test/connection/unread.integration.test.ts tests them in a pipeline.",

  "opening/cancelRequest.ts":
    "test/session/engine/cancel.sim.test.ts reads the CancelRequest and closes its connection.",
  "opening/authentication/allowedMethods.ts":
    "test/session/opening/authentication/sasl.sim.test.ts and test/session/opening/authentication/authenticate.sim.test.ts offer methods that are allowed and others.",
  "opening/authentication/credentials.ts":
    "test/session/opening/authentication/authenticate.sim.test.ts has passwords that are missing or fail.",
  "opening/authentication/oauthRefusal.ts":
    "test/session/opening/authentication/sasl.sim.test.ts has tokens that a server refuses in all ways.",
  "opening/startupInbox.ts":
    "test/session/opening/startup.test.ts and test/session/engine/order.sim.test.ts read through it.",
  "opening/authentication/stringprep.generated.ts":
    "A program writes it, and test/session/opening/authentication/saslPrep.test.ts checks its tables.",

  "replication/commands.ts": "test/replication/setup.integration.test.ts has a server carry them out.",
  "replication/textForm.ts": "test/replication/stream.integration.test.ts has values without a codec.",
  "replication/textRows.ts": "test/session/replication/logStream.sim.test.ts reads the rows of a command.",
  "request/batchRequest.ts": "test/connection/pipeline/batch.integration.test.ts tests it by the call that makes it.",
  "request/copyRequest.ts": "test/PgCopy.integration.test.ts tests it by the calls that make it.",
  "request/request.ts": "test/session/engine/order.sim.test.ts sends its requests.",

  "statement/commentedStatements.ts":
    "test/observability/comment.integration.test.ts counts the statements that a server keeps.",
  "statement/sqlToken.ts":
    "test/session/observing/summary.test.ts cuts statements with it, and test/connection/copy/placeholders.test.ts COPY queries.",
  "statement/mayCopy.ts": "test/session/exchange/copyRefusal.test.ts tests it together with the refusal that follows.",
  "statement/preparedStatement.ts":
    "test/session/statement/statementCache.test.ts makes and keeps prepared statements.",
  "statement/statementInUse.ts":
    "It depends on the answers of a server: test/session/exchange/extendedQuery.sim.test.ts gives them.",
  "statement/wanted.ts": "It defines what test/session/exchange/extendedQuery.sim.test.ts asks of a statement.",

  "transaction/afterEnd.ts": "test/transactions/afterEnd.integration.test.ts tests the callbacks that it runs.",
  "transaction/codecCheck.ts":
    "It asks the catalogue: test/codec/codecsOfDomainsAndArrays.integration.test.ts has domains.",
  "transaction/controlQuery.ts": "test/session/engine/liveness.sim.test.ts tests the bound on its statements.",
  "transaction/dueReset.ts":
    "test/pool/travelingReset.sim.test.ts and test/pool/travelingReset.integration.test.ts send its resets.",
  "transaction/ending.ts":
    "test/transactions/commitTag.sim.test.ts tests a COMMIT, and test/transactions/failedRollback.sim.test.ts a rollback.",
  "transaction/lastCommit.ts": "It defines an interface, which test/pool/resetWithCommit.sim.test.ts uses.",
  "transaction/ledRequest.ts":
    "test/session/transaction/dueBegin.sim.test.ts and test/pool/travelingReset.sim.test.ts put commands in front of one.",
  "transaction/levelOptions.ts":
    "It defines options; test/PgTransaction.integration.test.ts begins transactions with them.",
  "transaction/reset.ts": "test/pool/memberReset.integration.test.ts tests the statements of the reset.",
  "transaction/transactionLevel.ts": "test/transactions/programs.integration.test.ts compares its levels with a model.",
  "transaction/turn.ts": "test/transactions/turns.integration.test.ts tests the order in which fibers are served.",

  "types/missingTypes.ts": "test/session/types/typeCatalogue.sim.test.ts tests columns that could not be read.",
  "types/typeQuery.ts":
    "Only PostgreSQL can answer it: test/session/types/typeCatalogue.integration.test.ts runs it there."
}

const filesIn = (folder: string): ReadonlyArray<string> =>
  fs
    .readdirSync(new URL(folder, repository), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.split(path.sep).join("/"))

/** The path of a file without everything behind the first dot of its name: `engine/fifo` for `engine/fifo.test.ts`. */
const nameOf = (file: string): string =>
  path.posix.join(path.posix.dirname(file), path.posix.basename(file).split(".")[0] ?? "")

/** The faults of the reasons for these sources and tests. */
const faultsIn = (
  sources: ReadonlyArray<string>,
  tests: ReadonlyArray<string>,
  reasons: Readonly<Record<string, string>>,
  exists: (file: string) => boolean
): ReadonlyArray<string> => {
  const tested = new Set(tests.filter((file) => file.endsWith(".test.ts")).map(nameOf))
  return [
    ...sources.flatMap((file) => {
      const hasTest = tested.has(nameOf(file))
      const reason = reasons[file]
      if (hasTest) return reason === undefined ? [] : [`${file} has a test of its name, and needs no reason`]
      if (reason === undefined) return [`${file} has neither a test of its name nor a reason`]
      const named = reason.match(TEST) ?? []
      if (named.length === 0) return [`the reason of ${file} names no test`]
      return named
        .filter((test) => !exists(test))
        .map((test) => `the reason of ${file} names ${test}, which does not exist`)
    }),
    ...Object.keys(reasons)
      .filter((file) => !sources.includes(file))
      .map((file) => `${file} has a reason and does not exist`)
  ]
}

describe("src/session", () => {
  it("has a test of its name, or a reason, for every file", () => {
    const sources = filesIn("src/session/")
    assert.isAbove(sources.length, 40)
    assert.deepStrictEqual(
      faultsIn(sources, filesIn("test/session/"), REASONS, (file) => fs.existsSync(new URL(file, repository))),
      []
    )
  })
})

const check = (
  sources: ReadonlyArray<string>,
  tests: ReadonlyArray<string>,
  reasons: Readonly<Record<string, string>>
) => faultsIn(sources, tests, reasons, (file) => file === "test/a/b.test.ts")

describe("the check of the tests of src/session", () => {
  it("accepts a test of the name in the room, of any kind, and a reason that names a test", () => {
    const sources = ["engine/fifo.ts", "engine/session.ts", "engine/fence.ts", "top.ts"]
    const tests = ["engine/fifo.test.ts", "engine/session.sim.test.ts", "top.integration.test.ts"]
    assert.deepStrictEqual(check(sources, tests, { "engine/fence.ts": "test/a/b.test.ts tests it." }), [])
  })

  it.each([
    ["has neither a test nor a reason", [], {}],
    ["has a helper of its name instead of a test", ["engine/fence.ts"], {}],
    ["has its test in another room", ["statement/fence.test.ts"], {}],
    ["has a reason in spite of a test", ["engine/fence.test.ts"], { "engine/fence.ts": "test/a/b.test.ts tests it." }],
    ["has a reason without a test", [], { "engine/fence.ts": "It is too simple." }],
    ["has a reason whose test does not exist", [], { "engine/fence.ts": "test/a/c.test.ts tests it." }],
    [
      "is fine beside a reason for a lost file",
      ["engine/fence.test.ts"],
      { "engine/lost.ts": "test/a/b.test.ts tests it." }
    ]
  ])("reports a file that %s", (_what, tests: ReadonlyArray<string>, reasons: Readonly<Record<string, string>>) => {
    assert.lengthOf(check(["engine/fence.ts"], tests, reasons), 1)
  })
})
