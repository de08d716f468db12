/**
 * Refuses a codec for a domain where it is given. The server says of a column that is a domain only which type that
 * restricts, so that such a codec would be passed over for columns, and serve for parameters, without a word.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { TypeCodec, TypeCodecs } from "../../codec/typeCodec.ts"
import { CATALOGUE_SCHEMA, type QualifiedName } from "../../codec/typeName.ts"
import * as PgError from "../../PgError.ts"
import { submitControl } from "./control.ts"
import type { KnownDatabases } from "../types/knownDatabase.ts"
import type { Session } from "../engine/session.ts"

/** Those that may be domains: none of the types of every server is, and those of extensions are meant as base types. */
const namesOf = (codecs: ReadonlyArray<TypeCodec>): ReadonlyArray<QualifiedName> =>
  codecs.flatMap(({ make, name, schema }) =>
    make === undefined || schema === undefined || schema === CATALOGUE_SCHEMA ? [] : [{ name, schema }]
  )

/** A literal that means the same whatever `standard_conforming_strings` says. */
const quoted = (text: string): string => `E'${text.replaceAll(/['\\]/g, "$&$&")}'`

/** Has one row where the name is that of a domain. */
const question = ({ name, schema }: QualifiedName): string =>
  `SELECT 1 FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE t.typtype OPERATOR(pg_catalog.=) 'd' AND t.typname OPERATOR(pg_catalog.=) ${quoted(name)}::pg_catalog.name
  AND n.nspname OPERATOR(pg_catalog.=) ${quoted(schema)}::pg_catalog.name`

/** Which of them are domains; none where the server cannot be asked. */
const domainsAmong = (
  session: Session,
  names: ReadonlyArray<QualifiedName>
): Effect.Effect<ReadonlyArray<QualifiedName>> =>
  Effect.callback((resume) => {
    const sql = names.map(question).join(";\n")
    submitControl(session, { operation: "the question which codecs are for domains", sql }, (exit) =>
      resume(Effect.succeed(Exit.isSuccess(exit) ? names.filter((_, index) => exit.value[index]?.rowCount === 1) : []))
    )
  })

const refusal = (setting: string | undefined, { name, schema }: QualifiedName): PgError.InvalidConfigError =>
  new PgError.InvalidConfigError({
    setting,
    reason:
      `a codec for ${schema}.${name}, which is a domain: the server names the type that it restricts in its answers, ` +
      "so give the codec to that type, or decode the columns with a schema"
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

/** Asks for the codecs of the settings, once for all sessions of a pool. */
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

/** Asks for one codec that a session is given. */
export const checkCodec = (session: Session, codec: TypeCodec): Effect.Effect<void, PgError.InvalidConfigError> =>
  refuseDomains(session, [codec], undefined)
