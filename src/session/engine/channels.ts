/** Tracks the listeners of each channel of a session: the first one needs a LISTEN, the last one an UNLISTEN. */
import type { Notification } from "../../wire/backendMessage.ts"

export type NotificationListener = (notification: Notification) => void

export class Channels {
  private readonly listeners = new Map<string, Set<NotificationListener>>()
  /** Channels whose last listener has gone, and for which the server may not have got an UNLISTEN yet. */
  private readonly left = new Set<string>()

  get names(): ReadonlyArray<string> {
    return [...this.listeners.keys()]
  }

  has(channel: string): boolean {
    return this.listeners.has(channel)
  }

  /** Returns true if the channel had no listener before. */
  add(channel: string, listener: NotificationListener): boolean {
    const others = this.listeners.get(channel)
    if (others === undefined) this.listeners.set(channel, new Set([listener]))
    else others.add(listener)
    return others === undefined
  }

  /** Returns true if the channel has no listener left. */
  remove(channel: string, listener: NotificationListener): boolean {
    const listeners = this.listeners.get(channel)
    if (listeners === undefined || !listeners.delete(listener) || listeners.size > 0) return false
    return this.listeners.delete(channel)
  }

  /** Notes that the server needs an UNLISTEN for this channel. Returns true for the first one since `takeLeft`. */
  leave(channel: string): boolean {
    this.left.add(channel)
    return this.left.size === 1
  }

  /** Returns the channels that were left since the last call and have no listener now. */
  takeLeft(): ReadonlyArray<string> {
    const left = [...this.left].filter((channel) => !this.has(channel))
    this.left.clear()
    return left
  }

  /** Delivers to the listeners of the channel. There may be none, if a program has sent LISTEN as plain SQL. */
  deliver(notification: Notification): void {
    for (const listener of this.listeners.get(notification.channel) ?? []) listener(notification)
  }
}
