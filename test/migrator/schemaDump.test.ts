/** Tests how pg_dump is called, what is kept of its output, and what is said if it cannot do its work. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as PgMigrator from "../../src/PgMigrator.ts"

const TABLE = '"public"."effect_sql_migrations"'

/** Runs a program in the place of pg_dump, which is another one on every machine, and may be missing. */
const withProgram = <A, E, R>(body: string, use: (command: string, directory: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const directory = yield* fileSystem.makeTempDirectoryScoped()
    const command = `${directory}/pg_dump`
    yield* fileSystem.writeFileString(command, `#!${process.execPath}\n${body}`)
    yield* fileSystem.chmod(command, 0o755)
    return yield* use(command, directory)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const problemOf = (options: PgMigrator.SchemaDumpOptions) =>
  Effect.map(Effect.flip(PgMigrator.pgDump(options)(TABLE)), ({ _tag, kind, message, reason }) => {
    assert.deepInclude({ _tag, kind }, { _tag: "MigrationError", kind: "Failed" })
    return { message, problem: reason._tag === "SchemaDumpError" ? reason.problem : reason._tag }
  })

const DUMP = String.raw`--
-- PostgreSQL database dump
--

\restrict Zt0pSecret

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
-- a comment; of the function
UPDATE t
SET a = 1;
END$$;


ALTER TABLE ONLY public.t ADD COLUMN a integer;
\unrestrict Zt0pSecret
`

describe("the schema of a database", () => {
  it.effect("is written without comments and settings of the dump, but with those of functions", () =>
    withProgram(
      `console.log(process.argv.includes("--schema-only") ? ${JSON.stringify(DUMP)} : "INSERT INTO x VALUES (1);")`,
      (command, directory) =>
        Effect.gen(function* () {
          const fileSystem = yield* FileSystem.FileSystem
          yield* PgMigrator.pgDump({ directory: `${directory}/new/folder`, command })(TABLE)
          const written = yield* fileSystem.readFileString(`${directory}/new/folder/_schema.sql`)
          const [, body = ""] = /(CREATE FUNCTION[^]*?END\$\$;)/.exec(DUMP) ?? []
          assert.strictEqual(
            written,
            `${body}\n\nALTER TABLE ONLY public.t ADD COLUMN a integer;\n\nINSERT INTO x VALUES (1);\n`
          )
        })
    )
  )

  it.effect("is asked for with the given settings and no others, and the password is in no argument", () =>
    withProgram(
      `const { PG_TEST, ...env } = process.env
       const pg = Object.entries(env).filter(([name]) => name.startsWith("PG")).map(([name, value]) => name + "=" + value)
       console.log("SELECT '" + [...process.argv.slice(2), ...pg.sort()].join("|") + "';")`,
      (command, directory) =>
        Effect.gen(function* () {
          const fileSystem = yield* FileSystem.FileSystem
          process.env["PGOPTIONS"] = "-c search_path=elsewhere"
          const dump = PgMigrator.pgDump({
            directory,
            command,
            host: "db.test",
            port: 5433,
            user: "ada",
            password: Redacted.make("s3cret"),
            database: "shop",
            sslMode: "verify-full",
            sslRootCert: "/ca.pem",
            passfile: "/pass"
          })
          yield* Effect.ensuring(
            dump(TABLE),
            Effect.sync(() => delete process.env["PGOPTIONS"])
          )
          const environment =
            "PGDATABASE=shop|PGHOST=db.test|PGPASSFILE=/pass|PGPASSWORD=s3cret|PGPORT=5433|" +
            "PGSSLMODE=verify-full|PGSSLROOTCERT=/ca.pem|PGUSER=ada"
          assert.strictEqual(
            yield* fileSystem.readFileString(`${directory}/_schema.sql`),
            `SELECT '--schema-only|--no-owner|--no-privileges|${environment}';\n\n` +
              `SELECT '--data-only|--column-inserts|--table=${TABLE}|--no-owner|--no-privileges|${environment}';\n`
          )
        })
    )
  )

  it.effect("cannot be written without pg_dump, and the error says so", () =>
    withProgram("", (_, directory) =>
      Effect.gen(function* () {
        const { message, problem } = yield* problemOf({ directory, command: `${directory}/absent` })
        assert.strictEqual(problem, "not found")
        assert.include(message, "absent was not found. Install the client programs of PostgreSQL")
      })
    )
  )

  it.effect("cannot be written by a pg_dump that is older than the server, and the error has both versions", () =>
    withProgram(
      `console.error("pg_dump: error: aborting because of server version mismatch\\npg_dump: detail: server version: 18.4; pg_dump version: 15.18")
       process.exitCode = 1`,
      (command, directory) =>
        Effect.gen(function* () {
          const { message, problem } = yield* problemOf({ directory, command })
          assert.strictEqual(problem, "older than the server")
          assert.include(message, "is older than the server (server version: 18.4; pg_dump version: 15.18)")
        })
    )
  )

  it.effect("has an error with what pg_dump says, or why the file cannot be written", () =>
    withProgram(
      `if (process.env.PGUSER) { console.error("no such role"); process.exitCode = 3 }`,
      (command, directory) =>
        Effect.gen(function* () {
          const refused = yield* problemOf({ directory, command, user: "nobody" })
          assert.strictEqual(refused.problem, "failed")
          assert.include(refused.message, "ended with 3: no such role")
          assert.strictEqual((yield* problemOf({ directory: command, command })).problem, "cannot write")
        })
    )
  )
})
