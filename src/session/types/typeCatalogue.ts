/** What a session knows of the types of its database, and shares with other sessions to it. */
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { type TypeCodec, TypeCodecs } from "../../codec/typeCodec.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
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

const SEARCH_PATH = "search_path"

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
  /** True from a change of the schema up to the end of its transaction: names and types may then change their meaning. */
  isUnsettled = false
  identity: Identity = Identity.unknown
  parameters: ReadonlyMap<string, string> = new Map()
  /** Whether there may be temporary tables that hide others. */
  hasCreated = false
  /** Changes when the statements of this session may mean something else than when they were described. */
  epoch: number

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
  readonly place: Place

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
    return this.place.parameters.get(SEARCH_PATH)
  }

  /** What the server reports of the session, as it changes. */
  follow(parameters: ReadonlyMap<string, string>): void {
    this.place.parameters = parameters
  }

  isCurrent({ codecs, path, types, version }: Provenance): boolean {
    // What our own queries ask for is in the system catalogue, which nobody changes.
    if (codecs === OWN_TYPES.chosen) return true
    const { place } = this
    return (
      // All versions come from one counter: a statement is older than a change if its version is less.
      version >= place.epoch &&
      version >= place.shared.version &&
      path === place.parameters.get(SEARCH_PATH) &&
      codecs === this.codecs &&
      (types === undefined || types === place.known.typesWith(this.codecs))
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
