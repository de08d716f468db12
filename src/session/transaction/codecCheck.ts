/**
 * Refuses codecs for domains. The server describes a column of a domain as one of the domain's base type. Such a codec
 * would silently be used for parameters, but not for columns.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TypeCodec, TypeCodecs } from "../../codec/typeCodec.ts"
import { CATALOGUE_SCHEMA, type QualifiedName } from "../../codec/typeName.ts"
import * as PgError from "../../PgError.ts"
import { submitControl } from "./control.ts"
import type { KnownDatabases } from "../types/knownDatabase.ts"
import type { Session } from "../engine/session.ts"
import { quoteText } from "../../wire/sqlText.ts"

/** Returns the types that may be domains. Built-in types are not, and codecs of extensions are meant for base types. */
const namesOf = (codecs: ReadonlyArray<TypeCodec>): ReadonlyArray<QualifiedName> =>
  codecs.flatMap(({ make, name, schema }) =>
    make === undefined || schema === undefined || schema === CATALOGUE_SCHEMA ? [] : [{ name, schema }]
  )

/** Selects one row if the name is that of a domain. */
const question = ({ name, schema }: QualifiedName): string =>
  `SELECT 1 FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE t.typtype OPERATOR(pg_catalog.=) 'd' AND t.typname OPERATOR(pg_catalog.=) ${quoteText(name)}::pg_catalog.name
  AND n.nspname OPERATOR(pg_catalog.=) ${quoteText(schema)}::pg_catalog.name`

/** Returns those of the types that are domains, or none if the server cannot be asked. */
const domainsAmong = (
  session: Session,
  names: ReadonlyArray<QualifiedName>
): Effect.Effect<ReadonlyArray<QualifiedName>> =>
  Effect.callback((resume) => {
    const sql = names.map(question).join(";\n")
    submitControl(session, { operation: "the query that finds domains among the codecs", sql }, (exit) =>
      resume(Effect.succeed(Exit.isSuccess(exit) ? names.filter((_, index) => exit.value[index]?.rowCount === 1) : []))
    )
  })

const refusal = (setting: string | undefined, { name, schema }: QualifiedName): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({
    setting,
    reason:
      `${schema}.${name} is a domain, and the server names only its base type when it describes a column; ` +
      "make a codec for the base type instead, or decode the columns with a schema"
  })

const refuseDomains = (
  session: Session,
  codecs: ReadonlyArray<TypeCodec>,
  setting: string | undefined
): Effect.Effect<void, PgError.InvalidConfigError> => {
  const names = namesOf(codecs)
  if (names.length === 0) return Effect.void
  return Effect.flatMap(domainsAmong(session, names), ([domain]) =>
    domain === undefined ? Effect.void : Effect.fail(refusal(setting, domain))
  )
}

/** Checks the codecs of the settings, once for all sessions of a pool. */
export const checkSettings = (
  session: Session,
  codecs: TypeCodecs,
  databases: KnownDatabases
): Effect.Effect<void, PgError.InvalidConfigError> =>
  databases.checked.has(codecs)
    ? Effect.void
    : Effect.tap(refuseDomains(session, codecs.chosen, "types"), () =>
        Effect.sync(() => void databases.checked.add(codecs))
      )

/** Checks one codec that is added to a session. */
export const checkCodec = (session: Session, codec: TypeCodec): Effect.Effect<void, PgError.InvalidConfigError> =>
  refuseDomains(session, [codec], undefined)
