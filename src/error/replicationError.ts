/** The errors of logical replication: what is missing on the server, and a slot that no longer has what is needed. */
import { TaggedError } from "./taggedError.ts"

/**
 * What is missing for logical replication: a newer server (`version`), the server's setting `wal_level`, a publication,
 * a table that is not published, a replica identity, or a slot that can be used.
 *
 * @category models
 * @since 0.1.0
 */
export type ReplicationProblem = "version" | "walLevel" | "publication" | "table" | "replicaIdentity" | "slot"

/**
 * The server, the database or a table is not set up for logical replication. Nothing was read. The `hint` has the
 * statements that set it up.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReplicationSetupError extends TaggedError("ReplicationSetupError")<{
  readonly problem: ReplicationProblem
  readonly reason: string
  /** What to do: statements to run, or settings to change. */
  readonly hint: string
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: { readonly problem: ReplicationProblem; readonly reason: string; readonly hint: string }) {
    super({ ...fields, message: `logical replication is not set up: ${fields.reason}` })
  }
}

/**
 * What has become of a replication slot.
 *
 * - `missing`: it was dropped, or the server that is there now never had it.
 * - `invalidated`: the server gave it up, because it held too much of the log or was idle for too long.
 * - `advanced`: something else moved it beyond what was acknowledged.
 * - `diverged`: the server that is there now does not have all changes that were read, as after a failover to a standby
 *   that had not received them.
 * - `otherServer`: the server that is there now belongs to another database cluster.
 *
 * @category models
 * @since 0.1.0
 */
export type SlotLoss = "missing" | "invalidated" | "advanced" | "diverged" | "otherServer"

/**
 * A replication slot no longer has all changes since the last acknowledged one: there may be a gap. A reader that keeps a
 * copy of the data has to make it anew, for instance with `PgReplication.snapshotThenStream` and a new slot.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReplicationSlotLostError extends TaggedError("ReplicationSlotLostError")<{
  readonly slot: string
  readonly loss: SlotLoss
  readonly reason: string
  /** Where the gap begins: the last position that was acknowledged; undefined if nothing was. */
  readonly lastAcknowledged: string | undefined
  /** What to do. */
  readonly hint: string
  readonly message: string
}> {
  readonly outcome = "none"

  constructor(fields: {
    readonly slot: string
    readonly loss: SlotLoss
    readonly reason: string
    readonly lastAcknowledged: string | undefined
    readonly hint: string
  }) {
    const { lastAcknowledged, reason, slot } = fields
    const since = lastAcknowledged === undefined ? "" : `; changes after ${lastAcknowledged} may be lost`
    super({ ...fields, message: `the replication slot "${slot}" cannot be continued: ${reason}${since}` })
  }
}
