/** A first-in-first-out queue whose two ends cost the same however long it is. */
/** A power of two, as every capacity after it, so that an index wraps with a mask. */
const INITIAL_SLOTS = 16

const emptySlots = <A>(count: number): Array<A | undefined> => Array.from({ length: count }, () => undefined)

export class Fifo<A> {
  private items: Array<A | undefined> = emptySlots(INITIAL_SLOTS)
  private head = 0
  private size = 0

  get length(): number {
    return this.size
  }

  peek(): A | undefined {
    return this.size === 0 ? undefined : this.items[this.head]
  }

  last(): A | undefined {
    return this.size === 0 ? undefined : this.items[(this.head + this.size - 1) & (this.items.length - 1)]
  }

  toArray(): Array<A> {
    const all = this.drain()
    for (const item of all) this.push(item)
    return all
  }

  some(holds: (item: A) => boolean): boolean {
    const { head, items, size } = this
    for (let index = 0; index < size; index++) {
      const item = items[(head + index) & (items.length - 1)]
      if (item !== undefined && holds(item)) return true
    }
    return false
  }

  push(item: A): void {
    if (this.size === this.items.length) this.grow()
    this.items[(this.head + this.size) & (this.items.length - 1)] = item
    this.size++
  }

  /** Puts an item before all others: it is the next to be shifted. */
  unshift(item: A): void {
    if (this.size === this.items.length) this.grow()
    this.head = (this.head - 1) & (this.items.length - 1)
    this.items[this.head] = item
    this.size++
  }

  shift(): A | undefined {
    if (this.size === 0) return undefined
    const item = this.items[this.head]
    this.items[this.head] = undefined
    this.head = (this.head + 1) & (this.items.length - 1)
    this.size--
    return item
  }

  /** Takes one item out, wherever it stands; false where it is not in the queue. */
  remove(item: A): boolean {
    const kept = this.drain()
    const index = kept.indexOf(item)
    if (index >= 0) kept.splice(index, 1)
    for (const other of kept) this.push(other)
    return index >= 0
  }

  /** Empties the queue. */
  drain(): Array<A> {
    const all: Array<A> = []
    for (let item = this.shift(); item !== undefined; item = this.shift()) all.push(item)
    return all
  }

  private grow(): void {
    const { head, items, size } = this
    const next = emptySlots<A>(items.length * 2)
    for (let index = 0; index < size; index++) next[index] = items[(head + index) & (items.length - 1)]
    this.items = next
    this.head = 0
  }
}
