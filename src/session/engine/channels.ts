/** Tracks the listeners of each channel of a session: the first one needs a LISTEN, the last one an UNLISTEN. */
import type { Notification } from "../../wire/backendMessage.ts"

export type NotificationListener = (notification: Notification) => void

export class Channels {
  private readonly listeners = new Map<string, Set<NotificationListener>>()
  /** Channels whose last listener has gone; the server may not have been told. */
  private readonly left = new Set<string>()

  get names(): ReadonlyArray<string> {
    return [...this.listeners.keys()]
  }

  has(channel: string): boolean {
    return this.listeners.has(channel)
  }

  /** True where the channel had no listener before. */
  add(channel: string, listener: NotificationListener): boolean {
    const others = this.listeners.get(channel)
    if (others === undefined) this.listeners.set(channel, new Set([listener]))
    else others.add(listener)
    return others === undefined
  }

  /** True where the channel has no listener left. */
  remove(channel: string, listener: NotificationListener): boolean {
    const listeners = this.listeners.get(channel)
    if (listeners === undefined || !listeners.delete(listener) || listeners.size > 0) return false
    return this.listeners.delete(channel)
  }

  /** Notes a channel that the server is to be told to forget. True for the first one since they were last taken. */
  leave(channel: string): boolean {
    this.left.add(channel)
    return this.left.size === 1
  }

  /** The channels that were left since they were last taken, and that nobody has come to since. */
  takeLeft(): ReadonlyArray<string> {
    const left = [...this.left].filter((channel) => !this.has(channel))
    this.left.clear()
    return left
  }

  /** A session that was made to LISTEN by plain SQL is told of notifications that nobody here wants. */
  deliver(notification: Notification): void {
    for (const listener of this.listeners.get(notification.channel) ?? []) listener(notification)
  }
}
