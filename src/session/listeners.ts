/** Those who wait for one event: each is called once, with what happened. */
export class Listeners<A> {
  private readonly listeners = new Set<(event: A) => void>()

  /** Returns how to unsubscribe. */
  add(listener: (event: A) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Calls those who wait now; whoever begins to wait meanwhile waits for the next time. */
  tell(event: A): void {
    if (this.listeners.size === 0) return
    const listeners = [...this.listeners]
    this.listeners.clear()
    for (const listener of listeners) listener(event)
  }
}
