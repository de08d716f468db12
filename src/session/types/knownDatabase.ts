/**
 * What the sessions of a pool know of their databases. Types belong to one database of one running server, because
 * another server may give the same OIDs to other types. So a session at first knows only the types that are the same
 * everywhere. It shares more only with sessions that are proved to be connected to the same database (see
 * `Identification`).
 *
 * What is known of a database is dropped
 *
 * - when its last session ends,
 * - when a session of the pool sees a command complete that may change the layout of types,
 * - when the server says something that contradicts it,
 * - after `statementCacheLifetime`, because of changes that the server does not report,
 * - when it holds more types than any program uses at a time.
 */
import { camelCase, type ColumnNames, unchanged } from "../../codec/columnNames.ts"
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { TypeCodecs } from "../../codec/typeCodec.ts"
import type { ResolvedConfig } from "../../PgConfig.ts"
import { Pooler } from "../pooler/pooler.ts"

/** How many types are kept. Each takes some kilobytes, and programs that create temporary tables always add more. */
const MAX_TYPES = 2_000

/** What is known of one database, separately for each set of codecs. */
export class KnownDatabase {
  sessions = 1
  /** Increases when earlier descriptions may no longer be used. */
  version: number
  private readonly databases: KnownDatabases
  private types = new WeakMap<TypeCodecs, DatabaseTypes>()
  private since: number

  constructor(databases: KnownDatabases) {
    this.databases = databases
    this.version = databases.nextVersion()
    this.since = databases.now()
  }

  /** The types that are known with these codecs. The object stays the same until its types are dropped. */
  typesWith(codecs: TypeCodecs): DatabaseTypes {
    const { databases } = this
    if (databases.isOver(this.since)) this.forgetTypes()
    const found = this.types.get(codecs)
    if (found !== undefined) return found
    const made = new DatabaseTypes(codecs, databases.learned)
    this.types.set(codecs, made)
    return made
  }

  /** The types to which new ones are added: an empty set if there are too many already. */
  typesToAddTo(codecs: TypeCodecs): DatabaseTypes {
    if (this.typesWith(codecs).size > MAX_TYPES) this.types.delete(codecs)
    return this.typesWith(codecs)
  }

  /** Drops these types, unless they were dropped before. */
  outdate(types: DatabaseTypes): void {
    if (this.types.get(types.chosen) === types) this.types.delete(types.chosen)
  }

  /** Drops all types, and all statements of all sessions to the database. */
  forget(): void {
    this.version = this.databases.nextVersion()
    this.forgetTypes()
  }

  private forgetTypes(): void {
    this.types = new WeakMap()
    this.since = this.databases.now()
  }
}

/** All databases to which the sessions of one pool are connected. */
export class KnownDatabases {
  /** Whether any session has met types that are not the same on every server. */
  hasLearned = false
  sessions = 0
  /** The codecs of settings that were checked: none of them is for a domain. */
  readonly checked = new WeakSet<TypeCodecs>()
  /** What the sessions have found out about a pooler before their databases. */
  readonly pooler = new Pooler()
  /** How the columns of rows are named. */
  readonly names: ColumnNames
  private readonly lifetimeMillis: number
  private readonly all = new Set<KnownDatabase>()
  private readonly identified = new Map<string, KnownDatabase>()
  private versions = 0

  /** A lifetime of 0 means forever. */
  constructor(lifetimeMillis = 0, names = unchanged) {
    this.lifetimeMillis = lifetimeMillis
    this.names = names
  }

  /** For the sessions of a connection or a pool with these settings. */
  static of({ names, statementCache }: Pick<ResolvedConfig, "names" | "statementCache">): KnownDatabases {
    return new KnownDatabases(statementCache.lifetimeMillis, names === "camelCase" ? camelCase : unchanged)
  }

  readonly learned = (): void => {
    this.hasLearned = true
  }

  now(): number {
    return performance.now()
  }

  isOver(since: number): boolean {
    return this.lifetimeMillis > 0 && this.now() - since > this.lifetimeMillis
  }

  nextVersion(): number {
    return ++this.versions
  }

  /** Returns what a new session knows, which is nothing yet. */
  open(): KnownDatabase {
    const database = new KnownDatabase(this)
    this.sessions++
    this.all.add(database)
    return database
  }

  /** Called when a session has learned the identity of its database. Returns what is shared with other sessions. */
  identify(database: KnownDatabase, identity: string): KnownDatabase {
    const known = this.identified.get(identity)
    if (known === undefined) {
      this.identified.set(identity, database)
      return database
    }
    this.all.delete(database)
    known.sessions++
    return known
  }

  /** Called when a session has ended. */
  close(database: KnownDatabase): void {
    this.sessions--
    database.sessions--
    if (database.sessions > 0) return
    this.all.delete(database)
    for (const [identity, known] of this.identified) if (known === database) this.identified.delete(identity)
  }

  /** Drops all statements of all sessions. */
  endStatements(): void {
    for (const database of this.all) database.version = this.nextVersion()
  }

  /** Drops all types, and all statements of all sessions. */
  reload(): void {
    for (const database of this.all) database.forget()
  }
}
