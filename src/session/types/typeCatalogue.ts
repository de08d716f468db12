/**
 * What a session knows of the types of its database, some of which it shares with other sessions to the same database.
 */
import type { ColumnNames } from "../../codec/columnNames.ts"
import { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { type TypeCodec, TypeCodecs } from "../../codec/typeCodec.ts"
import { TransactionStatus } from "../../wire/backendMessage.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { KnownDatabase, KnownDatabases } from "./knownDatabase.ts"
import { changesSchema, mayChangeLayouts } from "./schemaChange.ts"

/** What a prepared statement depends on. */
export interface Provenance {
  /** The types of its parameters and columns; undefined if all of them are the same on every server. */
  readonly types: DatabaseTypes | undefined
  /** The codecs that the user had chosen. */
  readonly codecs: TypeCodecs
  readonly version: number
  /** The search_path, if the server reports it. */
  readonly path: string | undefined
}

/** The types for the library's own queries, without the codecs of the user. */
export const OWN_TYPES = new DatabaseTypes(new TypeCodecs([]))

const SEARCH_PATH = "search_path"

const Identity = { unknown: 0, asked: 1, settled: 2 } as const
type Identity = (typeof Identity)[keyof typeof Identity]

/** The database that a session knows. All catalogues of a session share it, whatever codecs each has. */
class Place {
  readonly databases: KnownDatabases
  /** What the session shares with other sessions to the same database. */
  shared: KnownDatabase
  /** What only this session sees, after a command that changes types until the end of its transaction. */
  own: KnownDatabase | undefined
  /** Whether the schema has changed in a transaction whose end may change what names or types mean. */
  isUnsettled = false
  identity: Identity = Identity.unknown
  parameters: ReadonlyMap<string, string> = new Map()
  /** Whether the session may have temporary tables that hide others. */
  hasCreated = false
  /** Increases when the statements of this session may mean something else than when they were described. */
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

export class TypeCatalogue {
  readonly codecs: TypeCodecs
  readonly place: Place

  private constructor(codecs: TypeCodecs, place: Place) {
    this.codecs = codecs
    this.place = place
  }

  /** The catalogue of a new session. */
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

  /** The types that are known now, for the next description. */
  get types(): DatabaseTypes {
    return this.place.known.typesToAddTo(this.codecs)
  }

  /** How the columns of rows are named. */
  get names(): ColumnNames {
    return this.place.databases.names
  }

  /** Increases when earlier descriptions of statements may no longer be used. */
  get version(): number {
    return this.place.version
  }

  /** The search_path, if the server reports it. With another one, a statement may mean other tables. */
  get path(): string | undefined {
    return this.place.parameters.get(SEARCH_PATH)
  }

  /** Reads the server parameters from this map, which changes when the server reports changes. */
  follow(parameters: ReadonlyMap<string, string>): void {
    this.place.parameters = parameters
  }

  isCurrent({ codecs, path, types, version }: Provenance): boolean {
    // The library's own queries read only the system catalogs, which do not change.
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

  /** Drops these types. Does nothing if they were dropped before. */
  outdate(types: DatabaseTypes): void {
    this.place.known.outdate(types)
  }

  /**
   * Called when the server says that a statement, or one of its types, has changed. The change may affect other
   * statements, so all statements of all sessions are described again. Otherwise they might fail inside a transaction.
   */
  outdateStatements({ types }: Provenance): void {
    if (types !== undefined) this.outdate(types)
    this.place.databases.endStatements()
  }

  /** Drops all types, and all statements of all sessions. */
  reload(): void {
    this.place.databases.reload()
  }

  /** Called when the session has ended. */
  close(): void {
    this.place.databases.close(this.place.shared)
  }

  // --------------------------------------------------------------------------------------------- changes of the schema

  /** Called when a command of the session is complete. */
  commandCompleted(tag: CommandTag, sql: string, hasColumns: boolean): void {
    if (changesSchema(tag, hasColumns)) this.schemaChanged(tag.command, sql)
    else if (!this.place.isUnsettled) return
    else if (tag.command === "ROLLBACK") this.rolledBack()
    else if (tag.command === "COMMIT") this.settle()
  }

  /** Called at ReadyForQuery if a change is unsettled. `isControl` says that a savepoint may have ended. */
  answered(status: TransactionStatus, isControl: boolean): void {
    if (status === TransactionStatus.idle) this.settle()
    else if (isControl) this.rolledBack()
  }

  /**
   * Handles a command that may have changed what names and types mean, such as CREATE, ALTER or DROP. All statements of
   * the session are described again. If the layout of types may have changed, the session sees types of its own until
   * its transaction ends. After that, all sessions of the pool look their types up again.
   */
  private schemaChanged(command: string, sql: string): void {
    const { place } = this
    const isDiscard = command.startsWith("DISCARD ")
    // Every reset discards temporary tables, and usually there are none.
    if (isDiscard && !place.hasCreated) return
    place.hasCreated = !isDiscard
    place.isUnsettled = true
    place.endStatements()
    if (place.own !== undefined || mayChangeLayouts(command, sql)) place.own = new KnownDatabase(place.databases)
  }

  /** Called when a savepoint was rolled back, which may have undone a change. */
  private rolledBack(): void {
    const { place } = this
    place.endStatements()
    if (place.own !== undefined) place.own = new KnownDatabase(place.databases)
  }

  /** Called when the transaction has ended in any way. */
  private settle(): void {
    const { place } = this
    place.isUnsettled = false
    place.endStatements()
    if (place.own === undefined) return
    place.own = undefined
    // This includes sessions that do not yet know their database, because it may be this one.
    place.databases.reload()
  }

  // --------------------------------------------------------------------------------------------- whose database it is

  /** Whether to ask for the identity of the database, because the session may share its types with another one. */
  get wantsIdentity(): boolean {
    const { databases, identity } = this.place
    return databases.hasLearned && identity === Identity.unknown && databases.sessions > 1
  }

  /** Called when the server is being asked. */
  identifying(): void {
    this.place.identity = Identity.asked
  }

  /** Called with the answer. If it is undefined, the session shares nothing. */
  identified(identity: string | undefined): void {
    const { place } = this
    place.identity = Identity.settled
    if (identity !== undefined) place.shared = place.databases.identify(place.shared, identity)
  }
}
