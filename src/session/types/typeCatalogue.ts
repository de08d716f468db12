/**
 * What a session knows of the types of its database and shares with other sessions to it, and the query that looks up
 * those that are not known. The query goes from these types to all that they are made of, so that one query is enough. Every name and operator in it is qualified: it means the same on any search_path.
 */
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { TupleRow } from "../../codec/rowReader.ts"
import { type TypeCodec, TypeCodecs } from "../../codec/typeCodec.ts"
import type { AttributeDescription, TypeDescription } from "../../codec/typeDescription.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { ProtocolViolation } from "../../wire/failure.ts"
import { KnownDatabase, KnownDatabases } from "./knownDatabase.ts"
import { changesSchema, mayChangeLayouts } from "./schemaChange.ts"

/** What a prepared statement was made with. */
export interface Provenance {
  /** The types that it takes or returns; undefined where all of them are the same on every server. */
  readonly types: DatabaseTypes | undefined
  /** Those that the user had chosen. */
  readonly codecs: TypeCodecs
  readonly version: number
  /** The search_path, where the server reports it. */
  readonly path: string | undefined
}

/** The types as they are for our own queries, whatever codecs the user has chosen. */
export const OWN_TYPES = new DatabaseTypes(new TypeCodecs([]))

/** How far a session has come in learning which database of which server it is connected to. */
const Identity = { unknown: 0, asked: 1, settled: 2 } as const
type Identity = (typeof Identity)[keyof typeof Identity]

/** Which database a session knows; all catalogues of a session share it, whatever codecs each has. */
class Place {
  readonly databases: KnownDatabases
  /** What it shares with other sessions to the same database. */
  shared: KnownDatabase
  /** What it alone sees, from a command that changes types up to the end of its transaction. */
  own: KnownDatabase | undefined
  /** Whether names or types may mean something else once the transaction has ended. */
  isUnsettled = false
  identity: Identity = Identity.unknown
  parameters: ReadonlyMap<string, string> = new Map()
  /** Whether there may be temporary tables that hide others. */
  hasCreated = false
  /** Changes when the statements of this session may mean something else than when they were described. */
  private epoch: number

  constructor(databases: KnownDatabases) {
    this.databases = databases
    this.shared = databases.open()
    this.epoch = databases.nextVersion()
  }

  get known(): KnownDatabase {
    return this.own ?? this.shared
  }

  get version(): number {
    return Math.max(this.epoch, this.shared.version)
  }

  endStatements(): void {
    this.epoch = this.databases.nextVersion()
  }
}

/** What one session knows of the types of its database. */
export class TypeCatalogue {
  readonly codecs: TypeCodecs
  private readonly place: Place

  private constructor(codecs: TypeCodecs, place: Place) {
    this.codecs = codecs
    this.place = place
  }

  /** That of a new session. */
  static open(codecs = TypeCodecs.none, databases = new KnownDatabases()): TypeCatalogue {
    return new TypeCatalogue(codecs, new Place(databases))
  }

  /** A catalogue of the same session with one more codec of the user. */
  withCodec(codec: TypeCodec): TypeCatalogue {
    return new TypeCatalogue(this.codecs.with(codec), this.place)
  }

  /** A catalogue of the same session without the codecs that the user chose for a type. */
  withoutCodec(name: string, schema: string | undefined): TypeCatalogue {
    return new TypeCatalogue(this.codecs.without(name, schema), this.place)
  }

  /** Those that are known by now, for what is about to be described. */
  get types(): DatabaseTypes {
    return this.place.known.typesToAddTo(this.codecs)
  }

  /** Changes when no statement that was described before may be relied on. */
  get version(): number {
    return this.place.version
  }

  /** The search_path, where the server reports it: a statement that was described on another one may mean other tables. */
  get path(): string | undefined {
    return this.place.parameters.get("search_path")
  }

  /** What the server reports of the session, as it changes. */
  follow(parameters: ReadonlyMap<string, string>): void {
    this.place.parameters = parameters
  }

  isCurrent({ codecs, path, types, version }: Provenance): boolean {
    // What our own queries ask for is in the system catalogue, which nobody changes.
    if (codecs === OWN_TYPES.chosen) return true
    return (
      version === this.place.version &&
      path === this.path &&
      codecs === this.codecs &&
      (types === undefined || types === this.place.known.typesWith(this.codecs))
    )
  }

  /** Gives up what these are; nothing happens where somebody has done so already. */
  outdate(types: DatabaseTypes): void {
    this.place.known.outdate(types)
  }

  /**
   * The server says that a statement, or a type of it, is not what it was. Whatever changed it is likely to have changed
   * others, so all statements of all sessions are described anew, before they meet the same error in a transaction.
   */
  outdateStatements({ types }: Provenance): void {
    if (types !== undefined) this.outdate(types)
    this.place.databases.endStatements()
  }

  /** Gives up all types, and all statements of all sessions. */
  reload(): void {
    this.place.databases.reload()
  }

  /** The session has ended. */
  close(): void {
    this.place.databases.close(this.place.shared)
  }

  // --------------------------------------------------------------------------------------------- changes of the schema

  /** A command of the session is complete. */
  commandCompleted(tag: CommandTag, sql: string, hasColumns: boolean): void {
    if (changesSchema(tag, hasColumns)) this.schemaChanged(tag.command, sql)
    else if (!this.place.isUnsettled) return
    else if (tag.command === "ROLLBACK") this.rolledBack()
    else if (tag.command === "COMMIT") this.settle()
  }

  /** The server is ready again, after a change that was not settled. `isControl` where a savepoint may have ended. */
  answered(status: TransactionStatus, isControl: boolean): void {
    if (status === TransactionStatus.idle) this.settle()
    else if (isControl) this.rolledBack()
  }

  /**
   * A command of this session is complete that may have changed what names and types mean: CREATE, ALTER, DROP and the
   * like. The statements of the session are described anew. Where the layout of types may have changed, the session sees
   * the types for itself until its transaction has ended, and then all sessions of the pool look them up again.
   */
  private schemaChanged(command: string, sql: string): void {
    const { place } = this
    const isDiscard = command.startsWith("DISCARD ")
    // Every reset of a session discards what there mostly is not.
    if (isDiscard && !place.hasCreated) return
    place.hasCreated = !isDiscard
    place.isUnsettled = true
    place.endStatements()
    if (place.own !== undefined || mayChangeLayouts(command, sql)) place.own = new KnownDatabase(place.databases)
  }

  /** True from a change of the schema up to the end of its transaction. */
  get isUnsettled(): boolean {
    return this.place.isUnsettled
  }

  /** A savepoint was rolled back, and with it perhaps a change. */
  private rolledBack(): void {
    const { place } = this
    place.endStatements()
    if (place.own !== undefined) place.own = new KnownDatabase(place.databases)
  }

  /** The transaction has ended, in one way or the other. */
  private settle(): void {
    const { place } = this
    place.isUnsettled = false
    place.endStatements()
    if (place.own === undefined) return
    place.own = undefined
    // Also those sessions that have not yet asked whose database theirs is: it may be this one.
    place.databases.reload()
  }

  // --------------------------------------------------------------------------------------------- whose database it is

  /** Whether another session may know the same database, once it is known which database that is. */
  get wantsIdentity(): boolean {
    const { databases, identity } = this.place
    return databases.hasLearned && identity === Identity.unknown && databases.sessions > 1
  }

  /** The server is being asked. */
  identifying(): void {
    this.place.identity = Identity.asked
  }

  /** Undefined where it cannot tell: then the session keeps to itself what it knows. */
  identified(identity: string | undefined): void {
    const { place } = this
    place.identity = Identity.settled
    if (identity !== undefined) place.shared = place.databases.identify(place.shared, identity)
  }
}

/** The first major version that has multiranges. */
const MULTIRANGES_SINCE = 14

/** Names the schema of the operators too, where somebody may have put others of their own. */
const withQualifiedOperators = (sql: string): string => sql.replaceAll(/ ([<>]?=|>) /g, " OPERATOR(pg_catalog.$1) ")

/**
 * True of every type's OID. It tells the planner, which cannot know that, how few there will be; or else it might think
 * it worth while to compile the query.
 */
const isOid = (column: string): string => `${column} >= '1' AND ${column} <= '4294967295'`

/**
 * An array is known by its input function, for others too have elements. A type whose send function is text's own, as
 * citext has it, travels as text does.
 */
export const typeQuery = (serverMajor: number): string => {
  const hasMultiranges = serverMajor >= MULTIRANGES_SINCE
  return withQualifiedOperators(`WITH RECURSIVE needed(oid) AS (
  SELECT pg_catalog.unnest($1::pg_catalog.oid[])
  UNION
  SELECT part.oid FROM needed CROSS JOIN LATERAL (
    SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
      FROM pg_catalog.pg_type AS t
      WHERE t.oid = needed.oid AND (t.typtype = 'd' OR t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc)
    UNION ALL
    SELECT a.atttypid FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid
      WHERE t.oid = needed.oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE r.rngtypid = needed.oid${
      hasMultiranges
        ? `
    UNION ALL
    SELECT r.rngtypid FROM pg_catalog.pg_range AS r WHERE r.rngmultitypid = needed.oid`
        : ""
    }
  ) AS part(oid) WHERE ${isOid("needed.oid")}
)
SELECT t.oid, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, t.typtype::pg_catalog.text,
  t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc, t.typelem, t.typdelim::pg_catalog.text, t.typbasetype,
  (SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE r.rngtypid = t.oid),
  ${hasMultiranges ? "(SELECT r.rngtypid FROM pg_catalog.pg_range AS r WHERE r.rngmultitypid = t.oid)" : "NULL::pg_catalog.oid"},
  (SELECT p.prosrc FROM pg_catalog.pg_proc AS p WHERE p.oid = t.typsend) = 'textsend', attributes.names, attributes.oids
FROM needed JOIN pg_catalog.pg_type AS t ON t.oid = needed.oid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
  CROSS JOIN LATERAL (
    SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum), pg_catalog.array_agg(a.atttypid ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute AS a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS attributes(names, oids)
WHERE ${isOid("needed.oid")}`)
}

/** Its answer. */
export const readDescriptions = (rows: ReadonlyArray<TupleRow>): ReadonlyArray<TypeDescription> => rows.map(describe)

const describe = (row: TupleRow): TypeDescription => {
  const [oid, schema, name, kind, isArray, element, delimiter, base, subtype, range, isTextual, names, oids] = row
  const common = { oid: number(oid), schema: string(schema), name: string(name) }
  if (isArray === true) {
    return { ...common, kind: "array", element: number(element), delimiter: string(delimiter) }
  }
  switch (kind) {
    case "c":
      return { ...common, kind: "composite", attributes: attributes(names, oids) }
    case "d":
      return { ...common, kind: "domain", base: number(base) }
    case "e":
      return { ...common, kind: "enum" }
    case "m":
      return { ...common, kind: "multirange", range: number(range) }
    case "r":
      return { ...common, kind: "range", subtype: number(subtype) }
    default:
      return { ...common, kind: "base", isTextual: isTextual === true }
  }
}

const attributes = (names: unknown, oids: unknown): ReadonlyArray<AttributeDescription> => {
  if (names === null) return []
  if (!Array.isArray(names) || !Array.isArray(oids)) throw unexpected()
  return names.map((name, index) => ({ name: string(name), oid: number(oids[index]) }))
}

const number = (value: unknown): number => {
  if (typeof value !== "number") throw unexpected()
  return value
}

const string = (value: unknown): string => {
  if (typeof value !== "string") throw unexpected()
  return value
}

const unexpected = (): ProtocolViolation => new ProtocolViolation("the catalogue of types answered with other columns")
