/** `effectpg types`, run as users run it, and what the compiler makes of the files that it writes. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { inject } from "vitest"
import { proxyTo } from "../../../src/pgTest/proxy.ts"
import { compiler } from "../../support/build.ts"
import { effectpg } from "../support/effectpg.ts"
import { copyExample, example, makeProject } from "./sample.ts"

const SLOW = { timeout: 120_000 }
const typedProject = fileURLToPath(new URL("./typed/", import.meta.url))

const onServer = () => {
  const { database, host, password, port, user } = inject("postgres")
  return { EFFECTPG_TEST_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}` }
}

/** Returns what the compiler says of a project. */
const compiled = (project: string): Promise<string> =>
  new Promise((resolve) => {
    execFile(process.execPath, [compiler, "-p", project], (_, stdout) => resolve(stdout))
  })

/** The types that the command writes for these files. */
const typesOf = async (
  files: Readonly<Record<string, string>>,
  schema: string
): Promise<{
  readonly stdout: string
  readonly declarations: string
  readonly modules: Readonly<Record<string, string>>
}> => {
  const project = makeProject({ ...files, "migrations/0001_schema.sql": schema })
  const { stderr, stdout } = await effectpg(["types", "--migrations", "migrations"], {
    cwd: project.directory,
    env: onServer()
  })
  assert.strictEqual(stderr, "")
  const read = (name: string): string => fs.readFileSync(path.join(project.directory, name), "utf8")
  const modules = fs.readdirSync(project.directory).filter((name) => name.endsWith(".sql.ts"))
  const declarations = read("effectpg.d.ts")
  const texts = Object.fromEntries(modules.map((name) => [name, read(name)]))
  project.remove()
  return { stdout, declarations, modules: texts }
}

const rowOf = (declarations: string, sql: string): string | undefined => {
  const lines = declarations.split("\n")
  const at = lines.findIndex((line) => line.trim() === `${JSON.stringify(sql)}: {`)
  return at === -1 ? undefined : lines[at + 2]?.trim().replace(/^readonly row: /, "")
}

describe("effectpg types", () => {
  it("writes for the sample project the files that are checked in", SLOW, async () => {
    const { directory, remove } = copyExample()
    const { exitCode, stdout } = await effectpg(["types"], { cwd: directory, env: onServer() })
    for (const file of ["effectpg.d.ts", "src/reviews.sql.ts"]) {
      const written = fs.readFileSync(path.join(directory, file), "utf8")
      assert.strictEqual(written, fs.readFileSync(path.join(example, file), "utf8"), file)
    }
    remove()
    assert.strictEqual(
      stdout,
      `51 statements in 5 files: no errors.
effectpg.d.ts has 38 statements.
src/reviews.sql.ts has 4 functions.
9 templates and texts that are put together have no types.
`
    )
    assert.strictEqual(exitCode, 0)
  })

  it("gives the compiler the types of each row of the table of expectations", SLOW, async () => {
    const table = fs.readFileSync(path.join(typedProject, "expectations.ts"), "utf8")
    assert.isAtLeast(table.split("toEqualTypeOf").length - 1, 60)
    assert.strictEqual(await compiled(typedProject), "")
  })

  it("reads and writes types as the settings of the project say", SLOW, async () => {
    const { declarations } = await typesOf(
      {
        "package.json": JSON.stringify({
          effectpg: {
            names: "camelCase",
            codecs: ["numericAsBigDecimal", "timestamptzAsDateTime"],
            types: { uuid: "`${string}-${string}`", point: { row: "Point", parameter: "Point | null" } }
          }
        }),
        "a.ts": `import { PgClient } from "effectpg"
pg.fetch("SELECT user_id, home_town, paid_at, total FROM users WHERE user_id = $1 AND total > $2")`
      },
      "CREATE TABLE users (user_id uuid NOT NULL, home_town point, paid_at timestamptz NOT NULL, total numeric[])".replace(
        "numeric[]",
        "numeric NOT NULL"
      )
    )
    assert.strictEqual(
      rowOf(declarations, "SELECT user_id, home_town, paid_at, total FROM users WHERE user_id = $1 AND total > $2"),
      '{ readonly userId: `${string}-${string}`; readonly homeTown: Point | null; readonly paidAt: import("effect/DateTime").Utc; readonly total: import("effect/BigDecimal").BigDecimal }'
    )
    assert.include(
      declarations,
      'readonly parameters: readonly [user_id: `${string}-${string}` | null, total: import("effect/BigDecimal")'
    )
  })

  it("follows what comments say, and refuses those that speak of nothing", SLOW, async () => {
    const { declarations, stdout } = await typesOf(
      {
        "a.ts": `import { PgClient } from "effectpg"
pg.fetch("SELECT max(a) AS a, b AS \\"the b\\" FROM t GROUP BY b /* @column a! @column \\"the b\\"? */")
pg.fetch("SELECT c FROM t WHERE a = $1 -- @column c: import('@scope/types').C, @param 1!", values)
pg.fetch("SELECT '-- @column x!' AS x, c FROM t -- @column d!")
pg.fetch("SELECT c FROM t WHERE a = $1 -- @param 2: string", values)`
      },
      "CREATE TABLE t (a int, b text NOT NULL, c jsonb)"
    )
    assert.strictEqual(
      rowOf(declarations, 'SELECT max(a) AS a, b AS "the b" FROM t GROUP BY b /* @column a! @column "the b"? */'),
      '{ readonly a: number; readonly "the b": string | null }'
    )
    const withType = "SELECT c FROM t WHERE a = $1 -- @column c: import('@scope/types').C, @param 1!"
    assert.strictEqual(rowOf(declarations, withType), "{ readonly c: import('@scope/types').C }")
    assert.include(declarations, `${JSON.stringify(withType)}: {\n      readonly parameters: readonly [a: number]`)
    assert.deepStrictEqual(
      stdout.split("\n").filter((line) => line.includes(" - error ")),
      ['a.ts:4:52 - error the statement has no column "d"', "a.ts:5:43 - error the statement has no parameter $2"]
    )
  })

  it("types composites, domains, ranges, arrays and enums of other schemas", SLOW, async () => {
    const sql = "SELECT * FROM shop.things"
    const { declarations } = await typesOf(
      { "a.ts": `import { PgClient } from "effectpg"\npg.fetch("${sql}")` },
      `CREATE SCHEMA shop;
      CREATE TYPE shop.size AS ENUM ('small', 'very "large"');
      CREATE TYPE shop.box AS (width int, sizes shop.size[]);
      CREATE DOMAIN shop.amount AS int8 CHECK (VALUE > 0);
      CREATE TABLE shop.things (
        size shop.size NOT NULL, boxes shop.box[], amount shop.amount NOT NULL, spans int4multirange, at tstzrange,
        "odd name" xml, "end" money NOT NULL, at_time time NOT NULL, spot point, flags bit(3)
      )`
    )
    assert.strictEqual(
      rowOf(declarations, sql),
      "{ " +
        [
          'readonly size: "small" | "very \\"large\\""',
          'readonly boxes: ReadonlyArray<{ readonly width: number | null; readonly sizes: ReadonlyArray<"small" | "very \\"large\\"" | null> | null } | null> | null',
          "readonly amount: bigint",
          "readonly spans: ReadonlyArray<PgTypes.PgRange<number>> | null",
          "readonly at: PgTypes.PgRange<Date> | null",
          'readonly "odd name": string | null',
          "readonly end: string",
          "readonly at_time: bigint",
          "readonly spot: PgTypes.PgPoint | null",
          "readonly flags: string | null"
        ].join("; ") +
        " }"
    )
  })

  it("has the server prepare each statement once, and asks for types only where a statement has some", SLOW, () =>
    Effect.gen(function* () {
      const { database, host, password, port, user } = inject("postgres")
      const proxy = yield* proxyTo({ host, port })
      const texts: Array<string> = []
      proxy.onMessage = (_, { bytes, from, type }) => {
        if (from === "client" && type === "P") texts.push(bytes.subarray(5).toString().split("\0")[1] ?? "")
      }
      const { directory, remove } = makeProject({
        "a.ts":
          'import { PgClient } from "effectpg"\npg.fetch("SELECT 1 AS a")\npg.fetch("SELECT 2 AS b")\npg.fetch("SELECT gone")'
      })
      const url = `postgres://${user}:${encodeURIComponent(password)}@${proxy.host}:${proxy.port}/${database}?sslmode=disable`
      const { stdout } = yield* Effect.promise(() => effectpg(["types", "--url", url], { cwd: directory }))
      remove()
      assert.match(stdout, /3 statements in 1 file: 1 error\.\neffectpg\.d\.ts has 2 statements/)
      for (const sql of ["SELECT 1 AS a", "SELECT 2 AS b", "SELECT gone"]) {
        assert.lengthOf(
          texts.filter((text) => text === sql),
          1,
          sql
        )
      }
      assert.lengthOf(
        texts.filter((text) => text.includes("pg_enum")),
        1
      )
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it("says which file it may not read or write, and what to do", SLOW, async () => {
    const { directory, remove } = makeProject({ "a.ts": "", "sub/b.ts": "" })
    fs.symlinkSync("circle", path.join(directory, "circle"))
    const { EFFECTPG_TEST_URL: url } = onServer()
    for (const [args, message] of [
      [["--output", "gone/types.d.ts"], "gone/types.d.ts: there is no such file or folder. Correct the path, or make"],
      [["--output", "sub"], "sub: this is a folder, where a file is expected. Correct the path."],
      [["--output", "a.ts/types.d.ts"], "a.ts/types.d.ts: a part of this path is a file, where a folder is expected."],
      [["--output", "circle"], "circle: its symbolic links lead in a circle. Mend them"]
    ] as const) {
      const { exitCode, stderr } = await effectpg(["types", "--url", url, ...args], { cwd: directory })
      assert.strictEqual(stderr.slice(0, directory.length + 1 + message.length), `${directory}/${message}`)
      assert.strictEqual(exitCode, 2)
    }
    remove()
  })

  it("writes the statements that are right, and reports the others", SLOW, async () => {
    const { declarations, stdout } = await typesOf(
      { "a.ts": 'import { PgClient } from "effectpg"\npg.fetch("SELECT a FROM t")\npg.fetch("SELECT b FROM t")' },
      "CREATE TABLE t (a int)"
    )
    assert.strictEqual(rowOf(declarations, "SELECT a FROM t"), "{ readonly a: number | null }")
    assert.strictEqual(rowOf(declarations, "SELECT b FROM t"), undefined)
    assert.include(stdout, 'a.ts:3:18 - error 42703: column "b" does not exist')
  })

  it(
    "writes a module of functions for a file of named statements, and reports what is wrong with the file",
    SLOW,
    async () => {
      const { modules, stdout } = await typesOf(
        {
          "users.sql": `-- name: allUsers
SELECT id, "type" FROM users; -- the last word

-- name: streamUsers :stream
SELECT id FROM users WHERE id > $1 AND id < $2

-- name: delete
DELETE FROM users;
-- name: allUsers
SELECT 1;
-- name: odd :twice
SELECT 1;
-- name: empty

-- name: wrong
SELECT gone FROM users;
-- name: allUsersSql
SELECT 1;
-- name: AllUsers
SELECT 1;
-- name: Stream
SELECT 1;
-- name: move :execute
UPDATE users SET user_id = $1 WHERE "userId" = $2 AND pg = $3 AND value2 = $4 AND "moveSql" = $5
`
        },
        `CREATE TABLE users (
          id int PRIMARY KEY, type text, user_id text, "userId" text, pg text, value2 text, "moveSql" text
        )`
      )
      const module = modules["users.sql.ts"] ?? ""
      assert.include(module, "export interface AllUsersRow { readonly id: number; readonly type: string | null }")
      assert.include(
        module,
        "(pg: PgConnection.Queryable, value1: number | null, value2: number | null): Stream.Stream<StreamUsersRow, PgError.PgError>"
      )
      assert.include(module, "pg.stream<StreamUsersRow>(streamUsersSql, [value1, value2])")
      for (const head of [
        'users.sql:7:1 - error the name "delete" cannot be the name of a function',
        "users.sql:9:1 - error the name allUsers is there twice",
        "users.sql:11:1 - error :twice is not known; there are :many, :one, :first, :value, :stream, :execute",
        "users.sql:13:1 - error the name empty has no statement",
        'users.sql:16:8 - error 42703: column "gone" does not exist',
        "users.sql:17:1 - error the name allUsersSql does not fit: the module would have allUsersSql twice, also for allUsers",
        "users.sql:19:1 - error the name AllUsers does not fit: the module would have AllUsersRow twice, also for allUsers",
        "users.sql:21:1 - error the name Stream does not fit: the module would have Stream twice, also for an import"
      ]) {
        assert.include(stdout, head)
      }
      assert.include(module, "pg.execute(moveSql, [userId, value2, value3, value4, value5])")
      assert.include(stdout, "users.sql.ts has 3 functions.")
    }
  )
})
