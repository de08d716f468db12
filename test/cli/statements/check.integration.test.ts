/** `effectpg check`, run as users run it. */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { inject } from "vitest"
import { createDatabase } from "../../support/database.ts"
import { effectpg } from "../support/effectpg.ts"
import { plantedFaults } from "./faults.ts"
import { copyExample, makeProject } from "./sample.ts"

const SLOW = { timeout: 120_000 }

/** The server of the tests, where the command makes its scratch database. */
const serverUrl = (): string => {
  const { database, host, password, port, user } = inject("postgres")
  return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`
}

const onServer = () => ({ EFFECTPG_TEST_URL: serverUrl() })

/** Runs the command in a project of these files, on a database of its own with these tables. */
const checkProject = async (
  files: Readonly<Record<string, string>>,
  schema: string,
  args: ReadonlyArray<string> = []
) => {
  const project = makeProject({ ...files, "migrations/0001_schema.sql": schema })
  try {
    return await effectpg(["check", "--migrations", "migrations", ...args], { cwd: project.directory, env: onServer() })
  } finally {
    project.remove()
  }
}

const USERS = "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, tags text[])"

/** The first lines of faults: `file:line:column - error ...`. */
const headsOf = (stdout: string): ReadonlyArray<string> => stdout.split("\n").filter((line) => / - error /.test(line))

/** What a call that is wrong ends with. */
const refused = (stderr: string) => ({ exitCode: 2, stdout: "", stderr: `${stderr}\n` })

const placesOf = (heads: ReadonlyArray<string>): ReadonlyArray<string> =>
  heads.map((head) => head.replace(/ - error .*/, "")).toSorted()

describe("effectpg check", () => {
  it("finds no fault in the sample project, and counts what it could not see", SLOW, async () => {
    const { directory, remove } = copyExample()
    const { exitCode, stderr, stdout } = await effectpg(["check"], { cwd: directory, env: onServer() })
    remove()
    assert.strictEqual(stderr, "")
    assert.strictEqual(
      stdout,
      "51 statements in 5 files: no errors.\n2 statements could be checked only as far as the text is known.\n"
    )
    assert.strictEqual(exitCode, 0)
  })

  it("finds each planted fault at its place, and nothing else", SLOW, async () => {
    assert.isAtLeast(plantedFaults.length, 25)
    const { directory, remove } = copyExample()
    const read = (file: string): string => fs.readFileSync(path.join(directory, file), "utf8")
    for (const { file, from, to } of plantedFaults) {
      const text = read(file)
      assert.lengthOf(text.split(from), 2, `${file} has it once: ${from}`)
      fs.writeFileSync(
        path.join(directory, file),
        text.replace(from, () => to)
      )
    }
    const expected = plantedFaults.map(({ at, file, message }) => {
      const text = read(file)
      const marked = at.replace("^", "")
      assert.lengthOf(text.split(marked), 2, `${file} has it once: ${marked}`)
      const before = text.slice(0, text.indexOf(marked) + at.indexOf("^"))
      const line = before.split("\n").length
      return { file, line, column: before.length - before.lastIndexOf("\n"), message }
    })
    const { exitCode, stdout } = await effectpg(["check"], { cwd: directory, env: onServer() })
    remove()
    const found = headsOf(stdout)
    assert.deepStrictEqual(
      placesOf(found),
      expected.map(({ column, file, line }) => `${file}:${line}:${column}`).toSorted(),
      stdout
    )
    for (const { column, file, line, message } of expected) {
      assert.isTrue(
        found.some((head) => head.startsWith(`${file}:${line}:${column} - error ${message}`)),
        `${file}:${line}:${column} ${message}\n${found.join("\n")}`
      )
    }
    assert.match(stdout, new RegExp(`51 statements in 5 files: ${plantedFaults.length} errors\\.`))
    assert.strictEqual(exitCode, 1)
  })

  it("shows the statement with a caret, the SQLSTATE and the hint", SLOW, async () => {
    const { stdout } = await checkProject(
      { "a.ts": 'import { PgClient } from "effectpg"\n\npg.fetch(`\n  SELECT id,\n\tnmae FROM users`)\n' },
      USERS
    )
    assert.strictEqual(
      stdout,
      `a.ts:5:2 - error 42703: column "nmae" does not exist

4 |   SELECT id,
5 | \tnmae FROM users\`)
  | \t^
HINT: Perhaps you meant to reference the column "users.name".

1 statement in 1 file: 1 error.
`
    )
  })

  it("points into texts with escapes, names beyond ASCII, and constants of other files", SLOW, async () => {
    const { stdout } = await checkProject(
      {
        "a.ts": String.raw`import { PgClient } from "effectpg"
import { FIND } from "./b.ts"
pg.fetch("SELECT '\u{1F600}\n\x41', \tgone FROM users")
pg.fetch('SELECT \'x\', "gone" ' + "FROM users")
pg.fetch(FIND, [1])`,
        "b.ts": 'export const FIND = "SELECT lost FROM users WHERE id = $1"\n'
      },
      USERS
    )
    assert.deepStrictEqual(headsOf(stdout), [
      'a.ts:3:39 - error 42703: column "gone" does not exist',
      'a.ts:4:25 - error 42703: column "gone" does not exist',
      'b.ts:1:29 - error 42703: column "lost" does not exist'
    ])
  })

  it("leaves alone what is no SQL of ours: URLs, other clients, and what a comment excludes", SLOW, async () => {
    const { exitCode, stdout } = await checkProject(
      {
        "a.ts": `import { PgClient } from "effectpg"
import Database from "better-sqlite3"
import postgres from "postgres"
const db = new Database("x")
const other = postgres()
http.fetch("https://example.org/SELECT")
http.fetch("/users", [1, 2])
cache.prepare("something to eat")
db.prepare("SELECT gone FROM users")
other.execute("SELECT gone FROM users")
// effectpg-ignore: the table is created at run time
pg.fetch("SELECT * FROM made_later")
pg.fetch("SELECT id FROM users")`,
        "b.ts": '// effectpg-ignore-file\nimport { PgClient } from "effectpg"\npg.fetch("SELECT gone FROM users")',
        "c.ts": 'import { sql } from "drizzle-orm"\nexport const a = sql`SELECT gone FROM users`',
        "d.ts": 'robot.execute("update the lights"); robot.execute("delete everything"); queue.fetch("select")'
      },
      USERS
    )
    assert.strictEqual(stdout, "1 statement in 4 files: no errors.\n")
    assert.strictEqual(exitCode, 0)
  })

  it("finds calls in files that do not import effectpg, and misspelled words in those that do", SLOW, async () => {
    const { stdout } = await checkProject(
      {
        "a.ts":
          'import { Database } from "./database.ts"\nexport const a = (pg: Database) => pg.fetch("SELECT gone FROM users")',
        "b.ts": 'import type { PgPool } from "effectpg"\npool.execute("UPDTE users SET name = $1", ["x"])'
      },
      USERS
    )
    assert.deepStrictEqual(headsOf(stdout), [
      'a.ts:2:53 - error 42703: column "gone" does not exist',
      'b.ts:2:15 - error 42601: syntax error at or near "UPDTE"'
    ])
  })

  it("checks a text with unknown parts as far as it goes", SLOW, async () => {
    const { exitCode, stdout } = await checkProject(
      {
        "a.ts": `import { PgClient } from "effectpg"
import { sql } from "effectpg/PgSql"
pg.fetch(\`SELECT id FROM \${table} WHERE name = 'a'\`)
pg.fetch(\`SELECT id FROM users ORDER BY \${column} LIMIT 5\`)
pg.fetch(\`SELECT interval '\${n} days' FROM users\`)
pg.fetch(sql\`SELECT id FROM users \${conditions}\`)
pg.fetch(sql\`SELECT id FROM users WHERE tags = \${tags}\`)
pg.execute(sql\`INSERT INTO users \${sql.insert(rows)} RETURNING id\`)
pg.execute(sql\`UPDATE users SET \${sql.update(changes)} WHERE id = \${id}\`)
pg.execute(sql\`SELECT \${sql.id("users", "id")} FROM users WHERE id \${sql.in(ids)}\`)
pg.fetch(\`SELECT gone FROM users ORDER BY \${column}\`)
pg.fetch(sql\`SELECT id FROM users WHERE gone = \${value} AND \${conditions}\`)
pg.fetch(text)
pg.fetch(makeText())
pg.fetch(\`SELECT interval E'\\\\'\${n} days' FROM users\`)
pg.fetch(\`SELECT id FROM users LIMIT 12\${digits}\`)
pg.fetch(\`SELECT id FROM users LIMIT \${n} AND 12x\`)`
      },
      USERS
    )
    assert.deepStrictEqual(headsOf(stdout), [
      'a.ts:11:18 - error 42703: column "gone" does not exist',
      'a.ts:12:41 - error 42703: column "gone" does not exist',
      'a.ts:17:47 - error 42601: trailing junk after numeric literal at or near "12x"'
    ])
    assert.match(
      stdout,
      /13 statements in 1 file: 3 errors\.\n12 statements could be checked only as far as the text is known\.\n2 calls could not be checked: the text is known only when the program runs\.\n$/
    )
    assert.strictEqual(exitCode, 1)
  })

  it("compares the number of values with that of the parameters, where both can be seen", SLOW, async () => {
    const { stdout } = await checkProject(
      {
        "a.ts": `import { PgClient } from "effectpg"
pg.fetch("SELECT id FROM users WHERE id = $1")
pg.fetch("SELECT id FROM users WHERE id = $1 AND name = $2", [1])
pg.fetch("SELECT id FROM users", [1])
pg.fetch("SELECT id FROM users WHERE id = $1", { timeout: 5 })
pg.fetch("SELECT id FROM users WHERE id = $1", values)
pg.fetch("SELECT id FROM users WHERE id = $1", [...values])
pg.executeMany("INSERT INTO users (id, name) VALUES ($1, $2)", [[1, "a"], [2]])
pg.batch([{ sql: "DELETE FROM users WHERE id = $1", params: [] }])`
      },
      USERS
    )
    assert.deepStrictEqual(headsOf(stdout), [
      "a.ts:2:10 - error the statement has 1 parameter, but no values are given",
      "a.ts:3:62 - error the statement has 2 parameters, but 1 value is given",
      "a.ts:4:34 - error the statement has no parameters, but 1 value is given",
      "a.ts:5:10 - error the statement has 1 parameter, but no values are given",
      "a.ts:8:75 - error the statement has 2 parameters, but 1 value is given",
      "a.ts:9:61 - error the statement has 1 parameter, but no values are given"
    ])
  })

  it("checks only the syntax of a script behind a change of the schema", SLOW, async () => {
    const { stdout } = await checkProject(
      {
        "a.ts": `import { PgClient } from "effectpg"
pg.executeScript("CREATE TABLE made (a int); SELECT b FROM made; SELECT FROM FROM made")
pg.executeScript("SELECT gone FROM users; SELECT 1")`
      },
      USERS
    )
    assert.deepStrictEqual(headsOf(stdout), [
      'a.ts:2:78 - error 42601: syntax error at or near "FROM"',
      'a.ts:3:26 - error 42703: column "gone" does not exist'
    ])
  })

  it("asks the database of --url, and leaves nothing there", SLOW, async () => {
    const database = await createDatabase()
    const project = makeProject({
      "a.ts": 'import { PgClient } from "effectpg"\npg.fetch("SELECT relname FROM pg_class")'
    })
    const { exitCode, stdout } = await effectpg(["check", "--url", database.url], { cwd: project.directory })
    project.remove()
    await database.drop()
    assert.strictEqual(stdout, "1 statement in 1 file: no errors.\n")
    assert.strictEqual(exitCode, 0)
  })

  it("says what is missing: a database, a file, a setting that it knows", SLOW, async () => {
    const project = makeProject({ "a.ts": "" })
    const none = await effectpg(["check"], { cwd: project.directory })
    assert.match(none.stderr, /^There is no database to ask\. Give --url/)
    assert.strictEqual(none.exitCode, 2)
    const gone = await effectpg(["check", "--offline", "gone.ts"], { cwd: project.directory })
    assert.match(gone.stderr, /gone\.ts does not exist\.\n$/)
    assert.strictEqual(gone.exitCode, 2)
    fs.writeFileSync(path.join(project.directory, "package.json"), '{ "effectpg": { "migration": "x" } }')
    const unknown = await effectpg(["check"], { cwd: project.directory })
    assert.match(unknown.stderr, /effectpg\.migration is not known\. There are: sources, output, migrations/)
    assert.strictEqual(unknown.exitCode, 2)
    project.remove()
  })

  it("refuses files and flags that it can do nothing with, and says what to do", SLOW, async () => {
    const project = makeProject({ "a.ts": "", "a.css": "", "package.json": "{ oops }" })
    const said = async (...args: ReadonlyArray<string>) => {
      const { exitCode, stderr, stdout } = await effectpg(["check", ...args], { cwd: project.directory })
      return { exitCode, stdout, stderr: stderr.replaceAll(project.directory, "PROJECT") }
    }
    const manifest = path.join(project.directory, "package.json")
    const broken = await said()
    assert.match(broken.stderr, /^PROJECT\/package\.json is no JSON: /)
    assert.strictEqual(broken.exitCode, 2)
    fs.writeFileSync(manifest, '\uFEFF{ "effectpg": { "constructor": 1 } }')
    assert.match((await said()).stderr, /effectpg\.constructor is not known\. There are: sources/)
    fs.rmSync(manifest)
    fs.mkdirSync(manifest)
    assert.deepStrictEqual(
      await said(),
      refused("PROJECT/package.json: this is a folder, where a file is expected. Correct the path.")
    )
    fs.rmdirSync(manifest)
    fs.writeFileSync(manifest, "{}")
    assert.deepStrictEqual(
      await said("--offline", "a.css"),
      refused("PROJECT/a.css has the name of no TypeScript, JavaScript or SQL.")
    )
    for (const flags of [
      ["--url", "postgres://localhost"],
      ["--migrations", "x"]
    ]) {
      assert.deepStrictEqual(
        await said("--offline", ...flags),
        refused("--offline asks no server. Leave it out, or --url and --migrations.")
      )
    }
    project.remove()
  })

  it("finds its way in odd files: empty, with a byte order mark, with CRLF, with links in a circle", SLOW, async () => {
    const project = makeProject({
      "empty.ts": "",
      "empty.sql": "",
      "bom.ts": '\uFEFFimport { PgClient } from "effectpg"\r\npg.fetch(`\r\n  SELECT 1,\r\n  gone`)\r\n',
      "first.ts": '\uFEFFpg.fetch("SELECT gone")',
      "named.sql": "\uFEFF-- name: one\r\nSELECT 1,\r\n  gone;\r\n-- name: two\r\nSELECT\r\n  2;\r\n",
      "binary.ts": "\u0000\u0001\u0002 \uFFFD"
    })
    fs.symlinkSync("..", path.join(project.directory, "up"))
    fs.symlinkSync("circle.ts", path.join(project.directory, "circle.ts"))
    const { stderr, stdout } = await effectpg(["check", "--url", serverUrl()], { cwd: project.directory })
    assert.strictEqual(stderr, "")
    assert.deepStrictEqual(headsOf(stdout), [
      'bom.ts:4:3 - error 42703: column "gone" does not exist',
      'first.ts:1:18 - error 42703: column "gone" does not exist',
      'named.sql:3:3 - error 42703: column "gone" does not exist'
    ])
    assert.include(stdout, "4 statements in 5 files: 3 errors.")
    const named = path.join(project.directory, "named.sql")
    fs.writeFileSync(named, fs.readFileSync(named, "utf8").replace(",\r\n  gone", ""))
    await effectpg(["types", "named.sql", "--url", serverUrl()], { cwd: project.directory })
    const module = `${named}.ts`
    const text = fs.readFileSync(module, "utf8")
    assert.include(text, String.raw`const twoSql = "SELECT\n  2"`)
    // As version control writes it on Windows.
    fs.writeFileSync(module, text.replaceAll("\n", "\r\n"))
    const offline = await effectpg(["check", "--offline", "named.sql"], { cwd: project.directory })
    assert.include(offline.stdout, "2 statements in 1 file: no errors.")
    project.remove()
  })

  it("says which file it cannot parse, reads JSX in JavaScript, and refuses what is no file", SLOW, async () => {
    const project = makeProject({
      "a.ts": 'pg.fetch("SELECT gone")\nconst = 1\n',
      "b.js": 'pg.fetch("SELECT gone")\nexport const b = <p>b</p>\n'
    })
    const { exitCode, stdout } = await effectpg(["check", "--url", serverUrl()], { cwd: project.directory })
    assert.deepStrictEqual(headsOf(stdout), ['b.js:1:18 - error 42703: column "gone" does not exist'])
    assert.match(
      stdout,
      /\n1 statement in 2 files: 1 error\.\nNothing of a\.ts was looked at, because it cannot be parsed: line 2, column 7: .+\n$/
    )
    assert.strictEqual(exitCode, 1)
    execFileSync("mkfifo", [path.join(project.directory, "pipe.ts")])
    assert.deepStrictEqual(await effectpg(["check", "--offline", "pipe.ts"], { cwd: project.directory }), {
      ...refused(`${project.directory}/pipe.ts is neither a file nor a folder.`)
    })
    project.remove()
  })

  it("says which migration cannot be applied", SLOW, async () => {
    const { exitCode, stderr } = await checkProject({ "a.ts": "" }, "CREATE TABLE broken (id integre)")
    assert.match(stderr, /^The migrations in .* cannot be applied\.\n/)
    assert.match(stderr, /integre/)
    assert.strictEqual(exitCode, 1)
  })

  it("proves offline that the generated types have every statement", SLOW, async () => {
    const { directory, remove } = copyExample()
    const covered = await effectpg(["check", "--offline"], { cwd: directory })
    assert.strictEqual(covered.stdout, "51 statements in 5 files: no errors.\n")
    const file = path.join(directory, "src/books.ts")
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("SELECT title FROM books", "SELECT id FROM books"))
    const sqlFile = path.join(directory, "src/reviews.sql")
    fs.writeFileSync(
      sqlFile,
      fs.readFileSync(sqlFile, "utf8").replace("DELETE FROM reviews", "DELETE FROM ONLY reviews")
    )
    const changed = await effectpg(["check", "--offline"], { cwd: directory })
    remove()
    assert.deepStrictEqual(
      headsOf(changed.stdout).map((head) => head.replace(/:\d+:\d+/, "")),
      [
        "src/books.ts - error the statement is not in the generated types; run effectpg types",
        "src/reviews.sql - error the statement is not in src/reviews.sql.ts; run effectpg types"
      ]
    )
    assert.match(changed.stdout, /effectpg\.d\.ts has 1 statement that no source has any more\.\n$/)
    assert.strictEqual(changed.exitCode, 1)
  })
})
