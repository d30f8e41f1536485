/** The last `keep` durations of one operation, in milliseconds. */
export class Latency {
  private readonly samples: number[] = [];

  constructor(private readonly keep = 200) {}

  add(milliseconds: number): void {
    this.samples.push(milliseconds);
    if (this.samples.length > this.keep) this.samples.shift();
  }

  /** Null before the first sample. `p95` is the nearest-rank percentile. */
  summary(): { count: number; p50: number; p95: number; last: number } | null {
    const last = this.samples.at(-1);
    if (last === undefined) return null;
    const sorted = this.samples.toSorted((a, b) => a - b);
    const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? last;
    return { count: sorted.length, p50: rank(0.5), p95: rank(0.95), last };
  }
}
