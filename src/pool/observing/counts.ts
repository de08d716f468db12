/** What a pool counts: its sessions by what they do, and the calls that wait for one. */

/** What a pool is doing at a moment. */
export interface PoolCounts {
  /** How many sessions are open, idle or not. */
  readonly size: number
  readonly idle: number
  readonly connecting: number
  readonly waiting: number
}
