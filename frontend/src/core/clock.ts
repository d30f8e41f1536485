/** Seconds without a sign of life after which the clock stops: people who went for coffee do not count as work. */
const IDLE_SECONDS = 30;

/**
 * Counts active time: from the first activity, until the page is hidden or nothing happens for IDLE_SECONDS.
 * The idle half minute itself is not counted. `now` gives milliseconds and is injected for tests.
 */
export class ActiveClock {
  private counted = 0;
  private lastActivity: number | null = null;
  private hidden = false;

  constructor(private readonly now: () => number) {}

  /** Goes on from active seconds that were counted before, on an earlier visit that sent them nowhere. */
  goOnFrom(seconds: number): void {
    this.counted += seconds * 1000;
  }

  /** A key, a pointer or a wheel: the person is at work. */
  activity(): void {
    if (this.hidden) return;
    this.settle();
    this.lastActivity = this.now();
  }

  setHidden(hidden: boolean): void {
    if (hidden) this.settle();
    this.hidden = hidden;
    this.lastActivity = hidden ? null : this.now();
  }

  /** Active seconds so far. */
  seconds(): number {
    return (this.counted + this.open()) / 1000;
  }

  /** Whether time is running at this moment. */
  running(): boolean {
    return this.lastActivity !== null && this.now() - this.lastActivity <= IDLE_SECONDS * 1000;
  }

  private open(): number {
    if (this.lastActivity === null) return 0;
    const since = this.now() - this.lastActivity;
    return since <= IDLE_SECONDS * 1000 ? since : 0;
  }

  private settle(): void {
    this.counted += this.open();
    this.lastActivity = null;
  }
}
