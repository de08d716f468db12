/**
 * Knows up to where the work is done. Transactions can be acknowledged in any order; the server is told of a position
 * once everything before it is acknowledged.
 */

/** A transaction that the reader has got. `endLsn` is undefined as long as its end has not come. */
export interface Entry {
  readonly commitLsn: bigint
  endLsn: bigint | undefined
  isDone: boolean
}

export class Acknowledgements {
  /** Everything before it is dealt with. */
  flushed: bigint
  /** The oldest that is not acknowledged comes first. */
  private readonly pending: Array<Entry> = []
  /** Where the server was when it had nothing more to send. */
  private idleAt = 0n
  private readonly advanced: () => void

  /** `advanced` is called if `flushed` has grown. */
  constructor(flushed: bigint, advanced: () => void) {
    this.flushed = flushed
    this.advanced = advanced
  }

  get unacknowledged(): number {
    return this.pending.length
  }

  /** The last position that the reader can have. */
  get received(): bigint {
    const { commitLsn = 0n, endLsn = commitLsn } = this.pending.at(-1) ?? {}
    return [endLsn, this.idleAt].reduce((last, lsn) => (lsn > last ? lsn : last), this.flushed)
  }

  add(commitLsn: bigint, endLsn: bigint | undefined): Entry {
    const entry: Entry = { commitLsn, endLsn, isDone: false }
    this.pending.push(entry)
    return entry
  }

  done(entry: Entry): void {
    entry.isDone = true
    this.settle()
  }

  /** The end of a transaction has come. */
  ended(entry: Entry, endLsn: bigint): void {
    entry.endLsn = endLsn
    this.settle()
  }

  /** Acknowledges all transactions up to a position: the commit of the last one, or its end. */
  upTo(lsn: bigint): void {
    const { pending } = this
    // The next transaction may be committed where that one ends, and then it is not meant.
    const isEnd = pending.some(({ endLsn, isDone }) => endLsn === lsn && !isDone)
    for (const entry of pending) {
      if (entry.commitLsn < lsn || (entry.commitLsn === lsn && !isEnd)) entry.isDone = true
    }
    this.settle(lsn)
  }

  /** The server has nothing to send before this position, beyond what the reader has got. */
  caughtUp(lsn: bigint): void {
    if (lsn > this.idleAt) this.idleAt = lsn
    this.settle()
  }

  private settle(atLeast = 0n): void {
    const { pending } = this
    let flushed = this.flushed > atLeast ? this.flushed : atLeast
    let count = 0
    for (const { endLsn, isDone } of pending) {
      if (!isDone || endLsn === undefined) break
      if (endLsn > flushed) flushed = endLsn
      count++
    }
    pending.splice(0, count)
    if (pending.length === 0 && this.idleAt > flushed) flushed = this.idleAt
    if (flushed === this.flushed) return
    this.flushed = flushed
    this.advanced()
  }
}
