/** Listeners for one event. Each is called once, with the event. */
export class Listeners<A> {
  /** Created with the first listener, because most events have no listener. */
  private listeners: Set<(event: A) => void> | undefined

  /** Returns a function that unsubscribes. */
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
