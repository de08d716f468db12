/** Those who wait for one event: each is called once, with what happened. */
export class Listeners<A> {
  /** Made for the first: most have nobody to wait for them. */
  private listeners: Set<(event: A) => void> | undefined

  /** Returns how to unsubscribe. */
  add(listener: (event: A) => void): () => void {
    const listeners = (this.listeners ??= new Set())
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** Calls the current listeners. A listener that is added meanwhile waits for the next call. */
  tell(event: A): void {
    if (this.listeners === undefined || this.listeners.size === 0) return
    const listeners = [...this.listeners]
    this.listeners.clear()
    for (const listener of listeners) listener(event)
  }
}
