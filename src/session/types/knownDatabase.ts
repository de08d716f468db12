/**
 * What the sessions of a pool know of the databases behind it. Types belong to one database of one running server, for
 * another server may have given the same OIDs to other types: so a session begins with what is known to be the same
 * everywhere, and shares more only with sessions that the server has proved to be of its kind (see `Identification`).
 *
 * What is known of a database ends
 * - with the last session to it,
 * - when a session of the pool has seen a command complete that may change the layout of types,
 * - when the server says something that does not fit it,
 * - after the lifetime, `statementCacheLifetime`, for what changes without a word to us,
 * - when it holds more types than any program uses at a time.
 */
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import type { TypeCodecs } from "../../codec/typeCodec.ts"

/** How many types are kept. Each takes some kilobytes, and programs that make temporary tables never run out of new ones. */
const MAX_TYPES = 2_000

/** What is known of one database, by the codecs that a session has. */
export class KnownDatabase {
  /** How many sessions share it. */
  sessions = 1
  /** Changes when nothing that was described before may be relied on. */
  version: number
  private readonly databases: KnownDatabases
  private types = new WeakMap<TypeCodecs, DatabaseTypes>()
  private since: number

  constructor(databases: KnownDatabases) {
    this.databases = databases
    this.version = databases.nextVersion()
    this.since = databases.now()
  }

  /** Those of them that are known by now; the same object for as long as nothing of it has ended. */
  typesWith(codecs: TypeCodecs): DatabaseTypes {
    const { databases } = this
    if (databases.isOver(this.since)) this.forgetTypes()
    const found = this.types.get(codecs)
    if (found !== undefined) return found
    const made = new DatabaseTypes(codecs, databases.learned)
    this.types.set(codecs, made)
    return made
  }

  /** The types to add new ones to: an empty set if there are too many already. */
  typesToAddTo(codecs: TypeCodecs): DatabaseTypes {
    if (this.typesWith(codecs).size > MAX_TYPES) this.types.delete(codecs)
    return this.typesWith(codecs)
  }

  /** Gives up these, unless somebody has done so already. */
  outdate(types: DatabaseTypes): void {
    if (this.types.get(types.chosen) === types) this.types.delete(types.chosen)
  }

  /** Gives up all types, and all statements of all sessions to the database. */
  forget(): void {
    this.version = this.databases.nextVersion()
    this.forgetTypes()
  }

  private forgetTypes(): void {
    this.types = new WeakMap()
    this.since = this.databases.now()
  }
}

/** All databases that the sessions of one pool have met. */
export class KnownDatabases {
  /** Whether any session has met types that are not the same on every server. */
  hasLearned = false
  /** How many sessions there are. */
  sessions = 0
  /** The codecs of settings of which it is known that none is for a domain. */
  readonly checked = new WeakSet<TypeCodecs>()
  private readonly lifetimeMillis: number
  private readonly all = new Set<KnownDatabase>()
  private readonly identified = new Map<string, KnownDatabase>()
  private versions = 0

  /** 0 is for ever. */
  constructor(lifetimeMillis = 0) {
    this.lifetimeMillis = lifetimeMillis
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

  /** What a new session knows, which is nothing as yet. */
  open(): KnownDatabase {
    const database = new KnownDatabase(this)
    this.sessions++
    this.all.add(database)
    return database
  }

  /** A session to `database` has learned whose that is. Gives what others know of it. */
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

  /** A session has ended. */
  close(database: KnownDatabase): void {
    this.sessions--
    database.sessions--
    if (database.sessions > 0) return
    this.all.delete(database)
    for (const [identity, known] of this.identified) if (known === database) this.identified.delete(identity)
  }

  /** Gives up all statements of all sessions. */
  endStatements(): void {
    for (const database of this.all) database.version = this.nextVersion()
  }

  /** Gives up all types, and all statements of all sessions. */
  reload(): void {
    for (const database of this.all) database.forget()
  }
}
