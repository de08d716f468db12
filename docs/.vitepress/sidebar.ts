/** The pages of the site, in the order in which a newcomer reads them. */
import * as fs from "node:fs"

const page = (text: string, name: string) => ({ text, link: `/guide/${name}` })

const guide = [
  {
    text: "First steps",
    items: [
      page("Getting started", "getting-started"),
      page("Queries and values", "queries"),
      page("Types and codecs", "types"),
      page("Transactions", "transactions"),
      page("Errors", "errors")
    ]
  },
  {
    text: "Working with it",
    items: [
      page("Settings", "settings"),
      page("Pool, sharing and sizing", "pool"),
      page("Streams, cursors, COPY", "streams"),
      page("LISTEN and NOTIFY", "notifications"),
      page("effect/sql, migrations, Drizzle, Kysely", "ecosystem"),
      page("Typed SQL and the command line", "typed-sql"),
      page("Testing", "testing")
    ]
  },
  {
    text: "In production",
    items: [
      page("Deployment", "deployment"),
      page("Observability", "observability"),
      page("Failover and read replicas", "failover"),
      page("Replication", "replication"),
      page("Security", "security"),
      page("Performance", "performance"),
      page("Runtimes", "runtimes")
    ]
  },
  {
    text: "Coming from elsewhere",
    items: [
      page("From asyncpg", "from-asyncpg"),
      page("From node-postgres", "from-node-postgres"),
      page("From postgres.js", "from-postgres-js"),
      page("From @effect/sql-pg", "from-effect-sql-pg"),
      page("Promises and async functions", "promises"),
      page("Troubleshooting and questions", "troubleshooting")
    ]
  }
]

const DECISIONS = new URL("../decisions/", import.meta.url)

export const decisions = fs
  .readdirSync(DECISIONS)
  .filter((file) => /^\d{4}-.*\.md$/.test(file))
  .toSorted()
  .map((file) => {
    const [, title = file] = /^# (.*)$/m.exec(fs.readFileSync(new URL(file, DECISIONS), "utf8")) ?? []
    return { text: title, link: `/decisions/${file.replace(/\.md$/, "")}` }
  })

export const sidebar = {
  "/guide/": guide,
  "/decisions/": [{ text: "Decisions", items: decisions }]
}
