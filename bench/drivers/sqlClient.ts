/** Runs effectpg and @effect/sql-pg through the `SqlClient` of effect/sql, as programs and modules of Effect do. */
import * as SqlPg from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as PgSqlClient from "../../src/PgSqlClient.ts"
import type { Address, Plan } from "../protocol.ts"
import type { Query } from "../workloads/workload.ts"
import type { Driver } from "./driver.ts"
import { effectDriver, type Source } from "./effects.ts"

type Open = (address: Address, plan: Plan) => Effect.Effect<SqlClient, SqlError, Scope.Scope | Reactivity.Reactivity>

export const ours = (multiplex: boolean): Driver =>
  through(({ password, ...address }, { connections }) =>
    PgSqlClient.make({
      ...address,
      password: Redacted.make(password),
      sslMode: "disable",
      minConnections: connections,
      maxConnections: connections,
      multiplex
    })
  )

export const ofSqlPg = (multiplex: boolean): Driver =>
  through(({ password, user, ...address }, { connections }) =>
    SqlPg.make({
      ...address,
      username: user,
      password: Redacted.make(password),
      ssl: false,
      minConnections: connections,
      maxConnections: connections,
      multiplex
    })
  )

const through = (make: Open): Driver => {
  const open: Source<SqlClient, SqlError>["open"] = (address, plan) =>
    Effect.provide(make(address, plan), Reactivity.layer)
  return effectDriver({
    connection: { open, skills: {} },
    pool: {
      open,
      skills: {
        fetch: statement,
        fetchLiterals: (sql, text) => sql.unsafe(text),
        transaction: (sql, query) => sql.withTransaction(statement(sql, query))
      }
    }
  })
}

/** Writes a query as a program writes it: a template whose texts are the same object each time. */
const statement = (sql: SqlClient, query: Query) => sql(textsOf(query), ...query.parameters)

const templates = new WeakMap<Query, TemplateStringsArray>()

const textsOf = (query: Query): TemplateStringsArray => {
  const known = templates.get(query)
  if (known !== undefined) return known
  const texts = query.sql.split(/\$\d+/)
  const template = Object.assign(texts, { raw: texts })
  templates.set(query, template)
  return template
}
