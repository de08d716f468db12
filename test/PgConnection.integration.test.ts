/** Tests every call of a connection, and everything that it reports about itself, on a real server. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { inject } from "vitest"
import type * as PgConfig from "../src/PgConfig.ts"
import * as PgConnection from "../src/PgConnection.ts"
import { TestDatabase } from "./support/database.ts"
import {
  assertHealthy,
  backendsOf,
  eventually,
  killBackend,
  liveConnection,
  liveSettings,
  refusalOf,
  uniqueName,
  valueOf
} from "./support/live.ts"

const server = inject("postgres")
const { features, unixSocketDir } = server

const overUnixSocket: ReadonlyArray<readonly [string, PgConfig.Settings]> =
  features.unixSocket && unixSocketDir !== undefined ? [["a unix socket", { host: unixSocketDir }]] : []

const routes: ReadonlyArray<readonly [string, PgConfig.Settings]> = [["TCP", {}], ...overUnixSocket]

for (const [route, settings] of routes) {
  layer(TestDatabase.layer, { excludeTestServices: true })(`a connection over ${route}`, (it) => {
    const connected = liveConnection(settings)

    it.effect("fetches rows by name and in column order", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const sql = "SELECT n, n::text AS name FROM generate_series(1, $1::int4) AS n ORDER BY n"
        assert.deepStrictEqual(yield* connection.fetch(sql, [2]), [
          { n: 1, name: "1" },
          { n: 2, name: "2" }
        ])
        assert.deepStrictEqual(yield* connection.fetchTuples(sql, [2]), [
          [1, "1"],
          [2, "2"]
        ])
        assert.deepStrictEqual(yield* connection.fetch(sql, [0]), [])
        assert.deepStrictEqual(yield* connection.fetchTuples(sql, [0]), [])
        assert.deepStrictEqual(yield* connection.fetchRow(sql, [0]), Option.none())
        assert.deepStrictEqual(yield* connection.fetchValue(sql, [0]), Option.none())
      })
    )

    it.effect("gives NULL as null, and takes null as NULL", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const sql = "SELECT $1::int4 AS a, $2::text[] AS b, '' AS c"
        assert.deepStrictEqual(yield* connection.fetch(sql, [null, null]), [{ a: null, b: null, c: "" }])
        assert.deepStrictEqual(yield* connection.fetchValue("SELECT NULL::int4"), Option.some(null))
        assert.deepStrictEqual(yield* connection.fetchValue("SELECT 1 WHERE false"), Option.none())
      })
    )

    it.effect("asks the server for one row only if one is enough", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        yield* connection.execute("CREATE TEMPORARY SEQUENCE counted")
        const sql = "SELECT nextval('counted') AS n FROM generate_series(1, 100000)"
        assert.deepStrictEqual(yield* connection.fetchRow(sql), Option.some({ n: 1n }))
        assert.deepStrictEqual(yield* connection.fetchValue(sql), Option.some(2n))
        assert.strictEqual(yield* valueOf(connection, "SELECT last_value FROM counted"), 2n)
      })
    )

    it.effect("runs the whole statement, even if one row of its result is enough", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        yield* connection.execute("CREATE TEMPORARY TABLE filled (n int4)")
        const sql = "INSERT INTO filled SELECT generate_series(1, 100) RETURNING n"
        assert.deepStrictEqual(yield* connection.fetchRow(sql), Option.some({ n: 1 }))
        assert.deepStrictEqual(yield* connection.fetchValue(sql), Option.some(1))
        // The statement is done all the same, so the outcome is not "none".
        assert.strictEqual((yield* refusalOf(connection.fetchOne(sql))).outcome, "unknown")
        assert.strictEqual(yield* valueOf(connection, "SELECT count(*)::int4 FROM filled"), 300)
      })
    )

    it.effect("gives the only row, and otherwise says how many there were", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const sql = "SELECT n FROM generate_series(1, $1::int4) AS n"
        assert.deepStrictEqual(yield* connection.fetchOne(sql, [1]), { n: 1 })
        for (const [rows, counted] of [
          [0, 0],
          [2, 2],
          [1000, 2]
        ]) {
          const error = yield* Effect.flip(connection.fetchOne(sql, [rows]))
          if (error._tag !== "UnexpectedRowCountError") return assert.fail(String(error))
          assert.strictEqual(error.actual, counted)
          assert.strictEqual(error.expected, "exactly one row")
        }
        yield* assertHealthy(connection)
      })
    )

    it.effect("gives one value by name or by position, and lists the columns if it does not find the named one", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const sql = "SELECT 1 AS a, 2 AS b, 3 AS b"
        const value = (column: string | number) => connection.fetchValue(sql, [], { column })
        assert.deepStrictEqual(yield* connection.fetchValue(sql), Option.some(1))
        assert.deepStrictEqual(yield* value("a"), Option.some(1))
        assert.deepStrictEqual(yield* value("b"), Option.some(3))
        assert.deepStrictEqual(yield* value(1), Option.some(2))
        for (const missing of ["c", 3, -1, 0.5, Number.NaN, "__proto__", "length"]) {
          const error = yield* Effect.flip(value(missing))
          if (error._tag !== "DecodeError") return assert.fail(String(error))
          assert.strictEqual(error.column, String(missing))
          assert.include(error.message, "a, b, b")
        }
        yield* assertHealthy(connection)
      })
    )

    it.effect("executes, and reports the command and how many rows it touched", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const ran = (sql: string, params?: PgConnection.Parameters) => connection.execute(sql, params)
        assert.deepStrictEqual(yield* ran("CREATE TEMPORARY TABLE things (id int PRIMARY KEY, name text)"), {
          command: "CREATE TABLE",
          rowCount: 0
        })
        const insert = "INSERT INTO things SELECT n, $2 FROM generate_series(1, $1::int4) AS n"
        assert.deepStrictEqual(yield* ran(insert, [3, "x"]), { command: "INSERT", rowCount: 3 })
        assert.deepStrictEqual(yield* ran("UPDATE things SET name = $1 WHERE id > $2", ["y", 1]), {
          command: "UPDATE",
          rowCount: 2
        })
        assert.deepStrictEqual(yield* ran("SELECT * FROM things"), { command: "SELECT", rowCount: 3 })
        assert.deepStrictEqual(yield* ran("DELETE FROM things RETURNING id"), { command: "DELETE", rowCount: 3 })
      })
    )

    it.effect("executes a script as one transaction, with one result for each statement", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        assert.deepStrictEqual(
          yield* connection.executeScript(
            "CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT n FROM t;"
          ),
          [
            { command: "CREATE TABLE", rowCount: 0 },
            { command: "INSERT", rowCount: 2 },
            { command: "SELECT", rowCount: 2 }
          ]
        )
        const error = yield* Effect.flip(connection.executeScript("INSERT INTO t VALUES (3); SELECT 1 / 0"))
        assert.strictEqual(error._tag, "DivisionByZeroError")
        assert.strictEqual(error.outcome, "none")
        assert.strictEqual(yield* valueOf(connection, "SELECT count(*) FROM t"), 2n)
        assert.deepStrictEqual(yield* connection.executeScript(""), [])
        yield* assertHealthy(connection)
      })
    )

    it.effect("keeps hostile column names apart from the objects that carry them", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const names = ["__proto__", "constructor", "toString", 'a"b', "`${1}`", "\\", "ö🐘", " ", "then", "0", "*/"]
        const quoted = names.map((name, index) => `${index} AS "${name.replaceAll('"', '""')}"`)
        const [row, ...more] = yield* connection.fetch(`SELECT ${quoted.join(", ")}`)
        assert.isEmpty(more)
        assert.deepStrictEqual(
          new Map(Object.entries(row ?? {})),
          new Map(names.map((name, index): readonly [string, unknown] => [name, index]))
        )
        assert.strictEqual(Reflect.get({}, "constructor"), Object)
      })
    )

    it.effect("keeps the last of the columns with the same name in a row, and all of them in a tuple", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const sql = "SELECT 1 AS a, 2 AS b, 3 AS a"
        assert.deepStrictEqual(yield* connection.fetch(sql), [{ a: 3, b: 2 }])
        assert.deepStrictEqual(yield* connection.fetchTuples(sql), [[1, 2, 3]])
      })
    )

    it.effect("reads rows without a column, and rows with as many as PostgreSQL allows", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const empty = "SELECT FROM generate_series(1, 2)"
        assert.deepStrictEqual(yield* connection.fetch(empty), [{}, {}])
        assert.deepStrictEqual(yield* connection.fetchTuples(empty), [[], []])
        assert.deepStrictEqual(yield* connection.fetchRow(empty), Option.some({}))
        assert.deepStrictEqual(yield* connection.fetchValue(empty), Option.none())
        assert.deepStrictEqual(yield* connection.fetch("CREATE TEMPORARY TABLE nothing ()"), [])

        const MAX_COLUMNS = 1600
        const columns = Array.from({ length: MAX_COLUMNS }, (_, index) => index)
        const wide = `SELECT ${columns.map((index) => `${index} AS c${index}`).join(", ")}`
        assert.deepStrictEqual(yield* connection.fetchTuples(wide), [columns])
        const [row] = yield* connection.fetch(wide)
        assert.deepStrictEqual(row, Object.fromEntries(columns.map((index) => [`c${index}`, index])))
      })
    )

    it.effect("answers concurrent calls each with its own answer", () =>
      Effect.gen(function* () {
        const connection = yield* connected
        const asked = Array.from({ length: 200 }, (_, index) =>
          index % 10 === 3
            ? Effect.map(Effect.flip(connection.fetch("SELECT 1 / ($1::int4 - $1)", [index])), ({ _tag }) => _tag)
            : Effect.map(connection.fetchOne("SELECT $1::int4 AS n", [index]), ({ n }) => n)
        )
        assert.deepStrictEqual(
          yield* Effect.all(asked, { concurrency: "unbounded" }),
          asked.map((_, index) => (index % 10 === 3 ? "DivisionByZeroError" : index))
        )
      })
    )
  })
}

layer(TestDatabase.layer, { excludeTestServices: true })("a connection", (it) => {
  it.effect("tells its server process and the version of the server", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      assert.strictEqual(yield* valueOf(connection, "SELECT pg_backend_pid()"), connection.processId)
      const { major, minor } = connection.serverVersion
      const number = Number(yield* valueOf(connection, "SHOW server_version_num"))
      assert.deepStrictEqual([major, minor], [Math.floor(number / 10_000), number % 10_000])
    })
  )

  it.effect("tells the server parameters as they currently are", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection({ settings: { TimeZone: "Asia/Tokyo" }, applicationName: "facts" })
      const before = yield* connection.parameters
      assert.strictEqual(before.get("TimeZone"), "Asia/Tokyo")
      assert.strictEqual(before.get("application_name"), "facts")
      assert.strictEqual(before.get("client_encoding"), "UTF8")
      yield* connection.execute("SET TimeZone = 'Europe/Berlin'")
      assert.strictEqual((yield* connection.parameters).get("TimeZone"), "Europe/Berlin")
      assert.strictEqual(before.get("TimeZone"), "Asia/Tokyo")
      yield* connection.execute("RESET TimeZone")
      assert.strictEqual((yield* connection.parameters).get("TimeZone"), "Asia/Tokyo")
    })
  )

  it.effect("tells the transaction status as of the last answer", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const { transactionStatus } = connection
      assert.strictEqual(yield* transactionStatus, "idle")
      yield* connection.execute("BEGIN")
      assert.strictEqual(yield* transactionStatus, "inTransaction")
      yield* Effect.flip(connection.execute("SELECT 1 / 0"))
      assert.strictEqual(yield* transactionStatus, "failed")
      assert.strictEqual((yield* Effect.flip(connection.execute("SELECT 1")))._tag, "InFailedSQLTransactionError")
      yield* connection.execute("ROLLBACK")
      assert.strictEqual(yield* transactionStatus, "idle")
      yield* assertHealthy(connection)
    })
  )

  it.effect("delivers notices to all listeners, in their order, and to none that has stopped", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const raise = (message: string) => connection.execute(`DO $$ BEGIN RAISE NOTICE '${message}'; END $$`)
      const messages = (count: number) =>
        connection.notices.pipe(
          Stream.take(count),
          Stream.map(({ message, severityUnlocalized }) => `${severityUnlocalized} ${message}`),
          Stream.runCollect,
          Effect.forkChild({ startImmediately: true })
        )
      yield* raise("before")
      const one = yield* messages(2)
      const other = yield* messages(1)
      yield* raise("first")
      yield* raise("größe 🐘")
      assert.deepStrictEqual(yield* Fiber.join(one), ["NOTICE first", "NOTICE größe 🐘"])
      assert.deepStrictEqual(yield* Fiber.join(other), ["NOTICE first"])
      yield* connection.execute("DROP TABLE IF EXISTS missing")
      yield* assertHealthy(connection)
    })
  )

  it.effect("delivers notices with all their fields, and no errors among them", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      const heard: Array<PgConnection.PgNotice> = []
      const listen = Stream.runForEach(connection.notices, (notice) => Effect.sync(() => heard.push(notice)))
      yield* Effect.forkChild(listen, { startImmediately: true })
      const failing = `DO $$ BEGIN
          RAISE WARNING 'shortened' USING ERRCODE = '01004', DETAIL = 'why', HINT = 'what to do', TABLE = 'goods';
          RAISE EXCEPTION 'refused';
        END $$`
      assert.strictEqual((yield* refusalOf(connection.execute(failing)))._tag, "RaiseError")
      yield* assertHealthy(connection)
      assert.deepStrictEqual(
        heard.map(({ code, detail, hint, message, severityUnlocalized, tableName }) => [
          severityUnlocalized,
          code,
          message,
          detail,
          hint,
          tableName
        ]),
        [["WARNING", "01004", "shortened", "why", "what to do", "goods"]]
      )
    })
  )

  it.effect("reports that its scope has ended it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const connection = yield* liveConnection().pipe(Scope.provide(scope))
      const notices = yield* Effect.forkChild(Stream.runCollect(connection.notices), { startImmediately: true })
      const waiting = yield* Effect.forkChild(connection.awaitClosed, { startImmediately: true })
      assert.strictEqual(yield* connection.status, "open")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* connection.status, "closed")
      const closed = yield* Fiber.join(waiting)
      assert.isTrue(closed.isExpected)
      assert.include(closed.reason.message, "scope")
      assert.deepStrictEqual(yield* connection.awaitClosed, closed)
      assert.deepStrictEqual(yield* Fiber.join(notices), [])
      const error = yield* Effect.flip(connection.fetch("SELECT 1"))
      if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
      assert.isTrue(error.safeToRetry)
    })
  )

  it.effect("reports that its scope has ended it during a transaction, of which nothing is left on the server", () =>
    Effect.gen(function* () {
      const applicationName = uniqueName()
      const observer = yield* liveConnection()
      for (const sql of ["SELECT pg_sleep(60)", "SELECT 1"]) {
        const scope = yield* Scope.make()
        const connection = yield* liveConnection({ applicationName }).pipe(Scope.provide(scope))
        const nested = connection.withTransaction(Effect.forever(connection.execute(sql)))
        const running = yield* Effect.forkChild(connection.withTransaction(nested), { startImmediately: true })
        yield* eventually(
          valueOf(observer, "SELECT query FROM pg_stat_activity WHERE application_name = $1", [applicationName]),
          sql
        )
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* refusalOf(Fiber.join(running)))._tag, "ConnectionLostError")
        assert.isTrue((yield* connection.awaitClosed).isExpected)
        yield* eventually(backendsOf(observer, applicationName), 0, 1_000)
      }
      yield* assertHealthy(observer)
    })
  )

  it.effect("reports that an administrator has ended it, in the server's words", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      const running = yield* Effect.forkChild(connection.execute("SELECT pg_sleep(60)"), { startImmediately: true })
      yield* Effect.sleep("50 millis")
      yield* killBackend(observer, connection.processId)
      const { isExpected, reason } = yield* connection.awaitClosed
      assert.isFalse(isExpected)
      if (reason._tag !== "ConnectionLostError") return assert.fail(String(reason))
      assert.strictEqual(reason.server?._tag, "AdminShutdownError")
      assert.strictEqual((yield* Effect.flip(Fiber.join(running)))._tag, "AdminShutdownError")
      assert.strictEqual(yield* connection.status, "closed")
      const error = yield* Effect.flip(connection.fetch("SELECT 1"))
      if (error._tag !== "ConnectionLostError") return assert.fail(String(error))
      assert.isTrue(error.safeToRetry)
      assert.strictEqual(error.server?._tag, "AdminShutdownError")
      yield* assertHealthy(observer)
    })
  )

  it.effect("reports that an administrator has ended it while it was idle", () =>
    Effect.gen(function* () {
      const observer = yield* liveConnection()
      const connection = yield* liveConnection()
      yield* killBackend(observer, connection.processId)
      const { isExpected, reason } = yield* connection.awaitClosed
      assert.isFalse(isExpected)
      if (reason._tag !== "ConnectionLostError") return assert.fail(String(reason))
      assert.strictEqual(reason.server?._tag, "AdminShutdownError")
      assert.strictEqual(yield* connection.status, "closed")
    })
  )

  it.effect("reports nothing more to a fiber that has stopped waiting for its end", () =>
    Effect.gen(function* () {
      const connection = yield* liveConnection()
      assert.deepStrictEqual(yield* Effect.timeoutOption(connection.awaitClosed, "10 millis"), Option.none())
      yield* assertHealthy(connection)
    })
  )

  it.effect("is provided as a layer, for as long as the layer lives", () =>
    Effect.gen(function* () {
      const settings = yield* liveSettings()
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(PgConnection.layer(settings), scope)
      const connection = yield* Effect.provide(PgConnection.PgConnection, context)
      yield* assertHealthy(connection)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* connection.status, "closed")
    })
  )
})
