/**
 * A first-in-first-out queue from whose middle items can be removed cheaply. Adding and taking at either end costs the
 * same at any length. A removed item leaves a hole. A long queue from which items are removed keeps an index of their
 * places. An item can be in the queue only once.
 */

/** A power of two, like every later capacity, so that an index wraps around with a mask. */
const INITIAL_SLOTS = 16
/** The longest span that is searched item by item. A longer one gets an index. */
const SLOTS_WITHOUT_INDEX = 64

const emptySlots = <A>(count: number): Array<A | undefined> => Array<A | undefined>(count).fill(undefined)

/** The place of each item, as a number that is one higher than that of the item before it. */
interface Index<A> {
  readonly numbers: Map<A, number>
  /** The number of the slot at `head`. */
  first: number
}

export class Fifo<A> {
  /** How many items are in the queue. Only the queue changes it. */
  length = 0
  private slots: Array<A | undefined> = emptySlots(INITIAL_SLOTS)
  private head = 0
  /** How many slots are in use from `head` on, holes included. The first and the last of them are never holes. */
  private span = 0
  private holes = 0
  private index: Index<A> | undefined

  peek(): A | undefined {
    return this.slots[this.head]
  }

  last(): A | undefined {
    return this.span === 0 ? undefined : this.slots[(this.head + this.span - 1) & (this.slots.length - 1)]
  }

  toArray(): Array<A> {
    const all: Array<A> = []
    const { head, slots, span } = this
    for (let at = 0; at < span; at++) {
      const item = slots[(head + at) & (slots.length - 1)]
      if (item !== undefined) all.push(item)
    }
    return all
  }

  some(holds: (item: A) => boolean): boolean {
    const { head, slots, span } = this
    for (let at = 0; at < span; at++) {
      const item = slots[(head + at) & (slots.length - 1)]
      if (item !== undefined && holds(item)) return true
    }
    return false
  }

  push(item: A): void {
    if (this.span === this.slots.length) this.makeRoom()
    this.slots[(this.head + this.span) & (this.slots.length - 1)] = item
    if (this.index !== undefined) this.index.numbers.set(item, this.index.first + this.span)
    this.span++
    this.length++
  }

  /** Puts an item before all others, so that `shift` takes it next. */
  unshift(item: A): void {
    if (this.span === this.slots.length) this.makeRoom()
    this.head = (this.head - 1) & (this.slots.length - 1)
    this.slots[this.head] = item
    this.span++
    this.length++
    if (this.index !== undefined) this.index.numbers.set(item, --this.index.first)
  }

  shift(): A | undefined {
    const item = this.slots[this.head]
    if (item === undefined) return undefined
    this.index?.numbers.delete(item)
    this.slots[this.head] = undefined
    this.head = (this.head + 1) & (this.slots.length - 1)
    this.span--
    this.length--
    if (this.index !== undefined) this.index.first++
    if (this.holes > 0 || this.index !== undefined) this.trim()
    return item
  }

  /** Removes an item, wherever it is. Returns false if it is not in the queue. */
  remove(item: A): boolean {
    const slot = this.slotOf(item)
    if (slot === undefined) return false
    this.index?.numbers.delete(item)
    this.slots[slot] = undefined
    this.holes++
    this.length--
    this.trim()
    return true
  }

  /** Empties the queue and returns its items. */
  drain(): Array<A> {
    const all = this.toArray()
    this.slots = emptySlots(INITIAL_SLOTS)
    this.head = 0
    this.span = 0
    this.holes = 0
    this.length = 0
    this.index = undefined
    return all
  }

  private slotOf(item: A): number | undefined {
    const { head, slots, span } = this
    if (this.index === undefined && span > SLOTS_WITHOUT_INDEX) this.buildIndex()
    if (this.index !== undefined) {
      const number = this.index.numbers.get(item)
      return number === undefined ? undefined : (head + number - this.index.first) & (slots.length - 1)
    }
    for (let at = 0; at < span; at++) {
      const slot = (head + at) & (slots.length - 1)
      if (slots[slot] === item) return slot
    }
    return undefined
  }

  private buildIndex(): void {
    const numbers = new Map<A, number>()
    const { head, slots, span } = this
    for (let at = 0; at < span; at++) {
      const item = slots[(head + at) & (slots.length - 1)]
      if (item !== undefined) numbers.set(item, at)
    }
    this.index = { numbers, first: 0 }
  }

  /** Removes the holes at both ends, and the index if the queue has become short. */
  private trim(): void {
    const { slots } = this
    while (this.span > 0 && slots[this.head] === undefined) {
      this.holes--
      this.head = (this.head + 1) & (slots.length - 1)
      this.span--
      if (this.index !== undefined) this.index.first++
    }
    while (this.span > 0 && this.last() === undefined) {
      this.holes--
      this.span--
    }
    if (this.index !== undefined && this.span <= SLOTS_WITHOUT_INDEX / 2) this.index = undefined
  }

  /** Closes the holes if they are at least half of the slots; otherwise doubles the slots. */
  private makeRoom(): void {
    const items = this.toArray()
    const count = this.slots.length
    const slots = emptySlots<A>(items.length > count / 2 ? count * 2 : count)
    for (const [at, item] of items.entries()) slots[at] = item
    this.slots = slots
    this.head = 0
    this.span = items.length
    this.holes = 0
    if (this.index !== undefined) this.buildIndex()
  }
}
