/** The options of a replication stream, and how they are checked. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { lsnOf } from "../call/lsn.ts"
import * as Shape from "../call/shape.ts"
import * as PgConfig from "../PgConfig.ts"
import * as PgError from "../PgError.ts"
import type { AnyTable, Tables } from "./change.ts"

/**
 * What a replication stream reads, and how.
 *
 * @category options
 * @since 0.1.0
 */
export interface StreamOptions<T extends Tables = AnyTable> {
  /**
   * How to connect. The stream has a connection of its own, and opens a second one for a moment if it has to look up
   * types. With several hosts, set `targetSessionAttrs: "read-write"`, so that the stream follows the primary.
   */
  readonly connection: PgConfig.Settings
  /** The replication slot. `PgReplication.createSlot` makes one. */
  readonly slot: string
  /** The publications, which say of which tables the changes are sent. They are checked when the stream begins. */
  readonly publications: ReadonlyArray<string>
  /**
   * Makes the slot, for this stream only. The server drops it with the connection, so the stream cannot go on after a
   * lost connection: it fails with `ReplicationSlotLostError`.
   *
   * @default false
   */
  readonly temporary?: boolean | undefined
  /**
   * Decodes the rows of these tables by schemas: `{ "public.users": User }`. Changes of other tables are then left out.
   *
   * @default all published tables, with rows as the codecs of the connection read them
   */
  readonly tables?: T | undefined
  /**
   * Leaves out all transactions up to this position, and acknowledges them: the `endLsn` of the last one whose work is
   * done, as a program has stored it with its results. If the log of the server ends before it, the stream fails with
   * `ReplicationSlotLostError`, because the server has another history.
   *
   * @default what the server knows to be acknowledged
   */
  readonly after?: string | undefined
  /**
   * Whether messages of `pg_logical_emit_message` are sent.
   *
   * @default true
   */
  readonly messages?: boolean | undefined
  /**
   * Leaves out changes that were themselves replicated from another server. It needs PostgreSQL 16.
   *
   * @default false
   */
  readonly localOnly?: boolean | undefined
  /**
   * Whether every published table that may be updated must have a replica identity, without which its UPDATE and DELETE
   * fail. Set it to false if the others only ever grow.
   *
   * @default true
   */
  readonly requireReplicaIdentity?: boolean | undefined
  /**
   * Waits while another process reads from the slot, instead of failing with `ObjectInUseError`: a second process then
   * takes over when the first one ends.
   *
   * @default false
   */
  readonly waitForSlot?: boolean | undefined
  /**
   * How often the client reports to the server how far it has come. It also does so soon after an acknowledgement, and
   * at least three times within the server's `wal_sender_timeout`.
   *
   * @default "10 seconds"
   */
  readonly statusInterval?: Duration.Input | undefined
  /**
   * A server that says nothing for so long is taken for lost, and the stream connects again. The client asks it to say
   * something halfway. 0 means never.
   *
   * @default "60 seconds"
   */
  readonly serverTimeout?: Duration.Input | undefined
  /**
   * How many bytes of the log wait for the reader, before the client reads nothing more from its connection.
   *
   * @default 1 MiB
   */
  readonly bufferBytes?: number | undefined
}

/** The options after checks and defaults. */
export interface Settings {
  readonly config: PgConfig.ResolvedConfig
  readonly slot: string
  readonly publications: ReadonlyArray<string>
  readonly temporary: boolean
  readonly tables: Tables | undefined
  readonly after: bigint | undefined
  readonly messages: boolean
  readonly localOnly: boolean
  readonly requireReplicaIdentity: boolean
  readonly waitForSlot: boolean
  readonly statusMillis: number
  readonly silenceMillis: number
  readonly bufferBytes: number
}

const slotName: Shape.Kind = {
  is: (value) => typeof value === "string" && /^[a-z0-9_]{1,63}$/.test(value),
  takes: "the name of a slot: 1 to 63 lower-case letters, digits and underscores"
}

const names: Shape.Kind = {
  is: (value) => Array.isArray(value) && value.length > 0 && Array.from(value).every(Shape.serverName.is),
  takes: "the names of one or more publications"
}

const tables: Shape.Kind = {
  is: (value) => Shape.isPlain(value) && Object.values(Object(value)).every(Shape.schema.is),
  takes: 'an object of Schemas by table, such as { "public.users": User }'
}

export const lsn: Shape.Kind = {
  is: (value) => lsnOf(value) !== undefined,
  takes: 'a position in the log, such as "16/B374D848"'
}

/** The settings of a connection are checked where they are resolved. */
const connection: Shape.Kind = { is: Shape.isPlain, takes: "the settings of a connection" }

export const STREAM_OPTIONS: Shape.Kinds = {
  connection,
  slot: slotName,
  publications: names,
  temporary: Shape.flag,
  tables,
  after: lsn,
  messages: Shape.flag,
  localOnly: Shape.flag,
  requireReplicaIdentity: Shape.flag,
  waitForSlot: Shape.flag,
  statusInterval: Shape.duration,
  serverTimeout: Shape.duration,
  bufferBytes: Shape.count
}

export const checkSlotName = (value: unknown): PgError.InvalidConfigError | undefined =>
  Shape.faultOf("slot", value, slotName)

const DEFAULT_BUFFER_BYTES = 1_048_576

const millisOf = (input: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(input))

export const settingsOf = Effect.fnUntraced(function* <T extends Tables>(
  options: StreamOptions<T>
): Effect.fn.Return<Settings, PgError.PgError> {
  const known = Shape.read<StreamOptions<T>>(options, "stream", STREAM_OPTIONS)
  if (PgError.isPgError(known)) return yield* known
  const fault =
    Shape.faultOf("slot", known.slot, slotName) ??
    Shape.faultOf("publications", known.publications, names) ??
    Shape.faultOf("connection", known.connection, connection)
  if (fault !== undefined) return yield* fault
  const config = yield* PgConfig.resolve(known.connection)
  return {
    config,
    slot: known.slot,
    publications: [...known.publications],
    temporary: known.temporary ?? false,
    tables: known.tables,
    after: known.after === undefined ? undefined : lsnOf(known.after),
    messages: known.messages ?? true,
    localOnly: known.localOnly ?? false,
    requireReplicaIdentity: known.requireReplicaIdentity ?? true,
    waitForSlot: known.waitForSlot ?? false,
    statusMillis: Math.max(millisOf(known.statusInterval ?? "10 seconds"), 1),
    silenceMillis: Math.max(millisOf(known.serverTimeout ?? "60 seconds"), 0),
    bufferBytes: known.bufferBytes ?? DEFAULT_BUFFER_BYTES
  }
})
