/** Tests with node-postgres that the server is as the other tests expect. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { X509Certificate } from "node:crypto"
import * as fs from "node:fs"
import pg from "pg"
import { inject } from "vitest"
import { createDatabase, TestDatabase } from "./database.ts"
import { rolePassword, testRoles } from "./postgres.ts"
import { tlsDirectory } from "./server/cluster.ts"

const server = inject("postgres")
const { host, port, user, password, database } = server
const address = { host, port, user, password, database }
const over = (ssl: pg.ClientConfig["ssl"]): pg.ClientConfig => ({ ...address, ssl })
const as = (role: string, ssl: pg.ClientConfig["ssl"]): pg.ClientConfig => ({
  ...over(ssl),
  user: role,
  password: rolePassword
})
const pem = (name: string): string => fs.readFileSync(new URL(name, tlsDirectory), "utf8")

/** The first column of the only row, over a connection of its own. */
const ask = async (sql: string, config: pg.ClientConfig = address): Promise<unknown> => {
  const client = new pg.Client(config)
  await client.connect()
  try {
    const { rows } = await client.query<Array<unknown>>({ text: sql, rowMode: "array" })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
}

const refusal = (config: pg.ClientConfig): Promise<string> =>
  ask("SELECT 1", config).then(
    () => "let in",
    (error: unknown) => String(error)
  )

describe("the test server", () => {
  it("is a supported PostgreSQL, of the requested major", async () => {
    const major = Math.floor(Number(await ask("SHOW server_version_num")) / 10_000)
    const asked = process.env["EFFECTPG_TEST_VERSION"]
    assert.isAtLeast(major, 13)
    if (asked !== undefined) assert.strictEqual(major, Number(asked))
  })

  it("gives the tests a superuser", async () => {
    assert.strictEqual(await ask("SHOW is_superuser"), "on")
  })

  it("has room for the connections of many test files", async () => {
    assert.isAtLeast(Number(await ask("SHOW max_connections")), 100)
  })

  it("gives each file a database of its own, and drops it together with its connections", async () => {
    const [one, other] = await Promise.all([createDatabase(), createDatabase()])
    assert.notStrictEqual(one.database, other.database)
    await ask("CREATE TABLE mine ()", { connectionString: one.url })
    assert.strictEqual(await ask("SELECT to_regclass('mine') IS NULL", { connectionString: one.url }), false)
    assert.strictEqual(await ask("SELECT to_regclass('mine') IS NULL", { connectionString: other.url }), true)

    const lingering = new pg.Client({ connectionString: one.url })
    const lost = new Promise<string>((resolve) => lingering.on("error", (error) => resolve(String(error))))
    await lingering.connect()
    await Promise.all([one.drop(), other.drop()])
    assert.include(await lost, "terminat")
    const names = `'${one.database}', '${other.database}'`
    assert.strictEqual(await ask(`SELECT count(*)::int FROM pg_database WHERE datname IN (${names})`), 0)
  })

  it("makes databases that sort and encode equally everywhere", async () => {
    const created = await createDatabase()
    const facts = "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate FROM pg_database"
    const fact = await ask(`${facts} WHERE datname = current_database()`, { connectionString: created.url })
    await created.drop()
    assert.strictEqual(fact, "UTF8 C")
  })
})

layer(TestDatabase.layer, { excludeTestServices: true })("a test's database", (it) => {
  for (const extension of ["hstore", "citext", "ltree"]) {
    it.effect(`can have the extension ${extension}`, () =>
      Effect.gen(function* () {
        const { url } = yield* TestDatabase
        yield* Effect.promise(() => ask(`CREATE EXTENSION ${extension}`, { connectionString: url }))
        const installed = `SELECT count(*)::int FROM pg_extension WHERE extname = '${extension}'`
        assert.strictEqual(yield* Effect.promise(() => ask(installed, { connectionString: url })), 1)
      })
    )
  }
})

/** Once if the server has that feature, and else never, which is not the same as skipped: there is nothing to test. */
const having = (feature: keyof typeof server.features) => (server.features[feature] ? [feature] : [])

describe.each(having("tls"))("the test server over TLS", () => {
  const version = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

  it("has a certificate of the test authority for localhost and for 127.0.0.1", async () => {
    const certificate = new X509Certificate(pem("server.crt"))
    assert.strictEqual(certificate.checkHost("localhost"), "localhost")
    assert.strictEqual(certificate.checkIP("127.0.0.1"), "127.0.0.1")
    assert.strictEqual(await ask(version, over({ ca: server.ca })), "TLSv1.3")
  })

  it("is trusted neither by public authorities nor by the other test authority", async () => {
    assert.match(await refusal(over(true)), /unable to verify|self.signed/)
    assert.match(await refusal(over({ ca: pem("other-ca.crt") })), /unable to verify|self.signed/)
  })

  it("accepts a client by its certificate", async () => {
    const ssl = { ca: server.ca, cert: pem("client.crt"), key: pem("client.key") }
    assert.strictEqual(await ask("SELECT current_user", { ...over(ssl), user: "cert_user" }), "cert_user")
    assert.match(await refusal({ ...over({ ca: server.ca }), user: "cert_user" }), /client certificate/)
  })

  it("separates the roles that must use TLS from those that must not", async () => {
    assert.strictEqual(await ask("SELECT current_user", as("tls_only_user", { ca: server.ca })), "tls_only_user")
    assert.strictEqual(await ask("SELECT current_user", as("plain_only_user", false)), "plain_only_user")
    assert.include(await refusal(as("tls_only_user", false)), "rejects connection")
    assert.include(await refusal(as("plain_only_user", { ca: server.ca })), "rejects connection")
  })
})

describe.each(having("roles"))("the roles of the test server", () => {
  it("exist, with the password in the form that their method needs", async () => {
    const stored = await ask(`
      SELECT json_object_agg(rolname, CASE WHEN rolpassword LIKE 'md5%' THEN 'md5' ELSE split_part(rolpassword, '$', 1) END)
      FROM pg_authid WHERE rolname IN (${testRoles.map((role) => `'${role}'`).join(", ")})`)
    assert.deepStrictEqual(
      stored,
      Object.fromEntries(testRoles.map((role) => [role, role === "md5_user" ? "md5" : "SCRAM-SHA-256"]))
    )
  })

  it("log in by the password alone, and trust_user without one", async () => {
    for (const role of ["cleartext_user", "md5_user", "scram_user"]) {
      assert.strictEqual(await ask("SELECT current_user", { ...address, user: role, password: rolePassword }), role)
      assert.include(await refusal({ ...address, user: role, password: "wrong" }), "password authentication failed")
    }
    const nothing = { ...address, user: "trust_user", password: undefined }
    assert.strictEqual(await ask("SELECT current_user", nothing), "trust_user")
  })

  it("meet the authentication method in their name", async () => {
    const methods = await ask(`
      SELECT json_agg(DISTINCT user_name[1] || ' ' || auth_method ORDER BY user_name[1] || ' ' || auth_method)
      FROM pg_hba_file_rules WHERE auth_method <> 'reject' AND type <> 'local'`)
    assert.deepStrictEqual(methods, [
      "all scram-sha-256",
      "cert_user cert",
      "cleartext_user password",
      "md5_user md5",
      "plain_only_user scram-sha-256",
      "scram_user scram-sha-256",
      "tls_only_user scram-sha-256",
      "trust_user trust"
    ])
  })
})

describe.each(having("unixSocket"))("the test server over its Unix socket", () => {
  it("asks for the password too", async () => {
    const local = { ...address, host: server.unixSocketDir ?? assert.fail("no directory of the Unix socket") }
    assert.strictEqual(await ask("SELECT inet_client_addr() IS NULL", local), true)
    assert.include(await refusal({ ...local, password: "wrong" }), "password authentication failed")
  })
})
