/** A list of listeners without any framework. */
export class Emitter<Event> {
  private readonly listeners = new Set<(event: Event) => void>();

  /** Returns the function that takes the listener off again. */
  on(listener: (event: Event) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  emit(event: Event): void {
    for (const listener of [...this.listeners]) listener(event);
  }
}
