import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as PgReplication from "../../src/PgReplication.ts"
import { eventually, refusalOf, valueOf } from "../support/live.ts"
import { isActive, published, Source, taken } from "./source.ts"

/** What a change is about, without the table. */
const told = (change: PgReplication.Change): unknown => {
  switch (change._tag) {
    case "Insert":
      return ["Insert", change.row]
    case "Update":
      return ["Update", change.key, change.row, change.old, change.unchanged]
    case "Delete":
      return ["Delete", change.key, change.old]
    case "Truncate":
      return ["Truncate", change.tables.map((table) => table.split(".")[1]), change.cascade, change.restartIdentity]
    case "Message":
      return ["Message", change.prefix, new TextDecoder().decode(change.content), change.isTransactional]
  }
}

layer(Source.layer, { excludeTestServices: true })("PgReplication.stream", (it) => {
  it.effect("brings committed transactions in the order of their commits, with every kind of change", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TABLE $.users (id int PRIMARY KEY, name text, born date);
        CREATE TABLE $.posts (id int PRIMARY KEY)
      `)
      const before = new Date()
      yield* pg.execute(`INSERT INTO ${name}.users VALUES (1, 'Ada', '1815-12-10'), (2, NULL, NULL)`)
      yield* pg.withTransaction(
        Effect.gen(function* () {
          yield* pg.execute(`UPDATE ${name}.users SET name = 'Grace' WHERE id = 2`)
          yield* pg.execute(`UPDATE ${name}.users SET id = 3 WHERE id = 2`)
          yield* pg.execute(`DELETE FROM ${name}.users WHERE id = 1`)
          yield* pg.execute("SELECT pg_logical_emit_message(true, 'outbox', 'hello')")
        })
      )
      const undone = Effect.andThen(pg.execute(`INSERT INTO ${name}.posts VALUES (1)`), Effect.fail("no"))
      yield* Effect.ignore(pg.withTransaction(undone))
      yield* pg.execute(`TRUNCATE ${name}.users, ${name}.posts RESTART IDENTITY CASCADE`)
      const transactions = yield* taken(PgReplication.stream(options), 3)
      const [first, second, third] = transactions
      assert.deepStrictEqual(first?.changes.map(told), [
        ["Insert", { id: 1, name: "Ada", born: "1815-12-10" }],
        ["Insert", { id: 2, name: null, born: null }]
      ])
      assert.deepStrictEqual(second?.changes.map(told), [
        ["Update", { id: 2 }, { id: 2, name: "Grace", born: null }, undefined, []],
        ["Update", { id: 2 }, { id: 3, name: "Grace", born: null }, undefined, []],
        ["Delete", { id: 1 }, undefined],
        ["Message", "outbox", "hello", true]
      ])
      assert.deepStrictEqual(third?.changes.map(told), [["Truncate", ["users", "posts"], true, true]])
      for (const { changes, commitTime, xid } of transactions) {
        assert.isAtLeast(commitTime.getTime(), before.getTime() - 1000)
        assert.isAtMost(commitTime.getTime(), Date.now() + 1000)
        assert.isAbove(xid ?? 0, 0)
        for (const change of changes) if ("relation" in change) assert.strictEqual(change.table, `${name}.users`)
      }
      assert.deepStrictEqual(
        first?.changes.flatMap((change) => ("relation" in change ? change.relation.columns : [])).slice(0, 2),
        [
          { name: "id", property: "id", isKey: true, typeOid: 23, typeModifier: -1 },
          { name: "name", property: "name", isKey: false, typeOid: 25, typeModifier: -1 }
        ]
      )
      const positions = transactions.flatMap(({ commitLsn, endLsn }) => [commitLsn, endLsn])
      const sorted = yield* pg.fetchTuples("SELECT lsn FROM unnest($1::pg_lsn[]) AS lsn ORDER BY 1", [positions])
      assert.deepStrictEqual(sorted.flat(), positions)
    })
  )

  it.effect("acknowledges what was acknowledged, and brings the rest again in the next run", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      for (const id of [1, 2, 3]) yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
      const [, second] = yield* taken(PgReplication.stream(options), 2)
      assert.strictEqual(yield* isActive(pg, name), false)
      const slots = yield* PgReplication.slots(pg)
      assert.strictEqual(slots.find(({ slot }) => slot === name)?.confirmedLsn, second?.endLsn)
      const unacknowledged = yield* Stream.runCollect(
        PgReplication.stream(options).pipe(
          Stream.take(1),
          Stream.mapEffect(({ allChanges }) => allChanges)
        )
      )
      assert.deepStrictEqual(unacknowledged.flat().map(told), [["Insert", { id: 3 }]])
      const again = yield* taken(PgReplication.stream(options), 1)
      assert.deepStrictEqual(
        again.flatMap(({ changes }) => changes.map(told)),
        [["Insert", { id: 3 }]]
      )
    })
  )

  it.effect("tells unchanged large values from NULL, and takes them from the old row if that is sent", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TABLE $.t (id int PRIMARY KEY, large text, n int);
        ALTER TABLE $.t ALTER large SET STORAGE EXTERNAL;
        CREATE TABLE $.f (id int PRIMARY KEY, large text, n int);
        ALTER TABLE $.f ALTER large SET STORAGE EXTERNAL;
        ALTER TABLE $.f REPLICA IDENTITY FULL
      `)
      const large = "x".repeat(10_000)
      for (const table of ["t", "f"]) {
        yield* pg.execute(`INSERT INTO ${name}.${table} VALUES (1, $1, 1)`, [large])
        yield* pg.execute(`UPDATE ${name}.${table} SET n = 2`)
        yield* pg.execute(`UPDATE ${name}.${table} SET large = NULL`)
        yield* pg.execute(`DELETE FROM ${name}.${table}`)
      }
      const changes = (yield* taken(PgReplication.stream(options), 8)).flatMap((each) => each.changes.map(told))
      assert.deepStrictEqual(changes, [
        ["Insert", { id: 1, large, n: 1 }],
        ["Update", { id: 1 }, { id: 1, n: 2 }, undefined, ["large"]],
        ["Update", { id: 1 }, { id: 1, large: null, n: 2 }, undefined, []],
        ["Delete", { id: 1 }, undefined],
        ["Insert", { id: 1, large, n: 1 }],
        ["Update", { id: 1, large, n: 1 }, { id: 1, large, n: 2 }, { id: 1, large, n: 1 }, []],
        ["Update", { id: 1, large, n: 2 }, { id: 1, large: null, n: 2 }, { id: 1, large, n: 2 }, []],
        ["Delete", { id: 1, large: null, n: 2 }, { id: 1, large: null, n: 2 }]
      ])
    })
  )

  it.effect("takes a large key that was not changed from the old key, so that no row lacks what identifies it", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TABLE $.t (id text PRIMARY KEY, large text, n int);
        ALTER TABLE $.t ALTER id SET STORAGE EXTERNAL, ALTER large SET STORAGE EXTERNAL;
        CREATE TABLE $.i (id int, code text NOT NULL, large text);
        ALTER TABLE $.i ALTER code SET STORAGE EXTERNAL, ALTER large SET STORAGE EXTERNAL;
        CREATE UNIQUE INDEX i_code ON $.i (code);
        ALTER TABLE $.i REPLICA IDENTITY USING INDEX i_code
      `)
      const id = "k".repeat(2_600)
      const large = "x".repeat(10_000)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1, $2, 1)`, [id, large])
      yield* pg.execute(`UPDATE ${name}.t SET n = 2`)
      yield* pg.execute(`INSERT INTO ${name}.i VALUES (1, $1, $2)`, [id, large])
      yield* pg.execute(`UPDATE ${name}.i SET id = 2`)
      const [, first, , second] = yield* taken(PgReplication.stream(options), 4)
      assert.deepStrictEqual(
        [first, second].flatMap((transaction) => transaction?.changes.map(told)),
        [
          ["Update", { id }, { id, n: 2 }, undefined, ["large"]],
          ["Update", { code: id }, { id: 2, code: id }, undefined, ["large"]]
        ]
      )
    })
  )

  it.effect("reads user types, and those that were made or changed while it streams", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TYPE $.mood AS ENUM ('sad', 'happy');
        CREATE TYPE $.point3 AS (x int, y int, mood $.mood);
        CREATE TABLE $.t (id int PRIMARY KEY, mood $.mood, moods $.mood[], at $.point3, n numeric, j jsonb, r int4range)
      `)
      yield* pg.execute(
        `INSERT INTO ${name}.t VALUES (1, 'sad', '{happy,sad}', '(1,2,happy)', 1.50, '{"a": 1}', '[1,5)')`
      )
      const { transactions } = yield* PgReplication.make({ ...options, messages: false })
      const [first] = yield* taken(transactions, 1)
      for (const ddl of [
        `CREATE DOMAIN ${name}.small AS int CHECK (VALUE < 10)`,
        `ALTER TABLE ${name}.t ADD COLUMN small ${name}.small`,
        `ALTER TABLE ${name}.t DROP COLUMN r`,
        `ALTER TABLE ${name}.t DROP COLUMN at`,
        `ALTER TYPE ${name}.point3 ADD ATTRIBUTE z int`,
        `ALTER TABLE ${name}.t ADD COLUMN at ${name}.point3`
      ]) {
        yield* pg.execute(ddl)
      }
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (2, 'happy', '{}', 2, 'null', 7, '(1,2,sad,3)')`)
      const [second] = yield* taken(transactions, 1)
      const rows = [first, second].flatMap((each) =>
        (each?.changes ?? []).map((change) => (change._tag === "Insert" ? change.row : {}))
      )
      const { r, ...others } = rows[0] ?? {}
      assert.strictEqual(String(r), "[1,5)")
      assert.deepStrictEqual(others, {
        id: 1,
        mood: "sad",
        moods: ["happy", "sad"],
        at: { x: 1, y: 2, mood: "happy" },
        n: "1.50",
        j: { a: 1 }
      })
      assert.deepStrictEqual(rows[1], {
        id: 2,
        mood: "happy",
        moods: [],
        at: { x: 1, y: 2, mood: "sad", z: 3 },
        n: "2",
        j: null,
        small: 7
      })
    }).pipe(Effect.scoped)
  )

  it.effect("reads values without a codec as texts, alone, in arrays and in rows of any number", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE EXTENSION IF NOT EXISTS ltree SCHEMA public;
        CREATE TABLE $.t (id int PRIMARY KEY, path public.ltree, paths public.ltree[])
      `)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1, 'a.b', '{a,b.c}'), (2, NULL, '{}'), (3, '', NULL)`)
      const rows = yield* pg.fetch(`SELECT * FROM ${name}.t ORDER BY id`)
      assert.strictEqual(rows[0]?.["path"], "a.b")
      yield* pg.execute(`UPDATE ${name}.t SET path = 'c.d' WHERE id = 1`)
      const [first, second] = yield* taken(PgReplication.stream(options), 2)
      assert.deepStrictEqual(
        first?.changes.map((change) => (change._tag === "Insert" ? change.row : {})),
        rows
      )
      assert.deepStrictEqual(second?.changes.map(told), [
        ["Update", { id: 1 }, { ...rows[0], path: "c.d" }, undefined, []]
      ])
      yield* eventually(
        valueOf(pg, "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'"),
        1
      )
    })
  )

  it.effect("reads more values without a codec in one change than one statement can return", () =>
    Effect.gen(function* () {
      // The old row and the new one together have more than the 1,664 columns that a SELECT list may have.
      const names = Array.from({ length: 900 }, (_, index) => `c${index}`)
      const { name, options, pg } = yield* published(`
        CREATE TYPE $.small;
        CREATE FUNCTION $.small_in(cstring) RETURNS $.small IMMUTABLE STRICT LANGUAGE internal AS 'int4in';
        CREATE FUNCTION $.small_out($.small) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'int4out';
        CREATE FUNCTION $.small_recv(internal) RETURNS $.small IMMUTABLE STRICT LANGUAGE internal AS 'int4recv';
        CREATE FUNCTION $.small_send($.small) RETURNS bytea IMMUTABLE STRICT LANGUAGE internal AS 'int4send';
        CREATE TYPE $.small (
          INPUT = $.small_in, OUTPUT = $.small_out, RECEIVE = $.small_recv, SEND = $.small_send, LIKE = int4
        );
        CREATE TABLE $.t (${names.map((column) => `${column} $.small`).join(", ")});
        ALTER TABLE $.t REPLICA IDENTITY FULL
      `)
      const values = names.map((_, index) => `'${index}'`).join(", ")
      const changed = names.map((column, index) => `${column} = '${-1 - index}'`).join(", ")
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (${values})`)
      yield* pg.execute(`UPDATE ${name}.t SET ${changed}`)
      const [, update] = yield* taken(PgReplication.stream(options), 2)
      const before = Object.fromEntries(names.map((column, index) => [column, String(index)]))
      const after = Object.fromEntries(names.map((column, index) => [column, String(-1 - index)]))
      assert.deepStrictEqual(update?.changes.map(told), [["Update", before, after, before, []]])
    })
  )

  it.effect("decodes rows by schemas, and leaves other tables out", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published(`
        CREATE TABLE $.users (id int PRIMARY KEY, name text NOT NULL, bio text);
        CREATE TABLE $.others (id int PRIMARY KEY)
      `)
      const User = Schema.Struct({ id: Schema.Int, name: Schema.Trim })
      const tables = { [`${name}.users`]: User }
      yield* pg.execute(`INSERT INTO ${name}.others VALUES (1)`)
      yield* pg.withTransaction(
        Effect.andThen(
          pg.execute(`INSERT INTO ${name}.others VALUES (2)`),
          pg.execute(`INSERT INTO ${name}.users VALUES (1, ' Ada ', NULL)`)
        )
      )
      const [transaction] = yield* taken(PgReplication.stream({ ...options, tables }), 1)
      assert.strictEqual(transaction?.changes.length, 1)
      const names = transaction?.changes.map((change) => (change._tag === "Insert" ? change.row.name : ""))
      assert.deepStrictEqual(names, ["Ada"])
      yield* pg.execute(`INSERT INTO ${name}.users VALUES (2, 'Grace', NULL)`)
      const wrong = { [`${name}.users`]: Schema.Struct({ name: Schema.Int }) }
      const error = yield* refusalOf(taken(PgReplication.stream({ ...options, tables: wrong }), 1))
      assert.strictEqual(error._tag, "DecodeError")
      assert.include(error.message, 'cannot read column "name" as text')
      const [still] = yield* taken(PgReplication.stream({ ...options, tables }), 1)
      assert.strictEqual(still?.changes.length, 1)
    })
  )

  it.effect("reads a transaction that is larger than its buffer piece by piece, and only once", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`INSERT INTO ${name}.t SELECT generate_series(1, 20000)`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (0)`)
      const seen: Array<unknown> = []
      yield* PgReplication.stream({ ...options, bufferBytes: 10_000 }).pipe(
        Stream.take(2),
        Stream.runForEach((transaction) =>
          Effect.gen(function* () {
            yield* Stream.runForEach(transaction.changes, (change) =>
              Effect.sync(() => seen.push(change._tag === "Insert" ? change.row["id"] : undefined))
            )
            if (seen.length === 20_000) {
              const again = yield* refusalOf(Stream.runDrain(transaction.changes))
              assert.strictEqual(again._tag, "UnsupportedError")
            }
            yield* transaction.acknowledge
          })
        )
      )
      assert.deepStrictEqual(seen, [...Array.from({ length: 20_000 }, (_, index) => index + 1), 0])
    })
  )

  it.effect("drops what was not read of a large transaction when the next one is taken", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute(`INSERT INTO ${name}.t SELECT generate_series(1, 20000)`)
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (0)`)
      const transactions = yield* Stream.runCollect(Stream.take(PgReplication.stream(options), 2))
      assert.strictEqual(transactions.length, 2)
      const error = yield* refusalOf(transactions[0]!.allChanges)
      assert.strictEqual(error._tag, "UnsupportedError")
      const kept = yield* transactions[1]!.allChanges
      assert.deepStrictEqual(kept.map(told), [["Insert", { id: 0 }]])
    })
  )

  it.effect("brings messages that belong to no transaction, unless it is told not to", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* pg.execute("SELECT pg_logical_emit_message(false, 'alone', 'now')")
      yield* pg.execute(`INSERT INTO ${name}.t VALUES (1)`)
      const transactions = yield* Stream.runCollect(
        PgReplication.stream(options).pipe(
          Stream.take(2),
          Stream.mapEffect((transaction) =>
            Effect.map(transaction.allChanges, (changes) => ({ ...transaction, changes }))
          )
        )
      )
      assert.deepStrictEqual(
        transactions.map(({ changes }) => changes.map(told)),
        [[["Message", "alone", "now", false]], [["Insert", { id: 1 }]]]
      )
      assert.isUndefined(transactions[0]?.xid)
      const [only] = yield* taken(PgReplication.stream({ ...options, messages: false }), 1)
      assert.deepStrictEqual(only?.changes.map(told), [["Insert", { id: 1 }]])
    })
  )

  it.effect("acknowledges in any order, and tells the server only what has nothing unacknowledged before it", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      for (const id of [1, 2, 3]) yield* pg.execute(`INSERT INTO ${name}.t VALUES ($1)`, [id])
      const confirmed = valueOf(pg, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", [
        name
      ])
      const before = yield* confirmed
      const replication = yield* PgReplication.make(options)
      const [first, second, third] = yield* Stream.runCollect(Stream.take(replication.transactions, 3))
      yield* third!.acknowledge
      yield* second!.acknowledge
      assert.strictEqual((yield* replication.progress).unacknowledged, 3)
      yield* Effect.sleep(300)
      assert.strictEqual(yield* confirmed, before)
      yield* replication.acknowledge(first!.commitLsn)
      assert.strictEqual((yield* replication.progress).unacknowledged, 0)
      yield* eventually(confirmed, yield* third!.endLsn)
      const refused = yield* refusalOf(replication.acknowledge("nonsense"))
      assert.strictEqual(refused._tag, "InvalidConfigError")
      // Such a position comes from another server. The slot would drop all changes before it unseen.
      const beyond = yield* refusalOf(replication.acknowledge("FFFF/0"))
      assert.include(beyond.message, `lsn: must not be beyond`)
      yield* Effect.sleep(300)
      yield* eventually(confirmed, yield* third!.endLsn)
    }).pipe(Effect.scoped)
  )

  it.effect("lets the server drop the log of changes that concern nobody", () =>
    Effect.gen(function* () {
      const { name, options, pg } = yield* published("CREATE TABLE $.t (id int PRIMARY KEY)")
      yield* PgReplication.make(options).pipe(
        Effect.flatMap(({ transactions }) => Effect.forkScoped(Stream.runDrain(transactions)))
      )
      yield* pg.executeScript(
        `CREATE TABLE ${name}_private AS SELECT generate_series(1, 1000); DROP TABLE ${name}_private`
      )
      const position = yield* valueOf(pg, "SELECT pg_current_wal_lsn()::text")
      const isBehind = valueOf(
        pg,
        "SELECT confirmed_flush_lsn < $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1",
        [name, position]
      )
      yield* eventually(isBehind, false, 10_000)
    }).pipe(Effect.scoped)
  )
})
