/** The last `keep` durations of one operation, in milliseconds. */
export class Latency {
  private readonly samples: number[] = [];

  constructor(private readonly keep = 200) {}

  add(milliseconds: number): void {
    this.samples.push(milliseconds);
    if (this.samples.length > this.keep) this.samples.shift();
  }

  clear(): void {
    this.samples.length = 0;
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

/** The durations that an annotator feels, measured where they happen. */
export class Timings {
  /** One answer of the decoder, from the request to the masks. */
  readonly decode = new Latency();
  /** From the gesture that gave a prompt to its mask on the canvas. */
  readonly promptToPainted = new Latency();
  /** One frame of the canvases. */
  readonly paint = new Latency(400);
  /** From opening an image until the model can answer. */
  readonly embeddingWait = new Latency();
  /** From accepting a mask until the server has confirmed it. */
  readonly save = new Latency();
  /** From "submit and next" until the next image can be clicked. */
  readonly nextImage = new Latency();

  /** Counts anew. */
  clear(): void {
    const { decode, promptToPainted, paint, embeddingWait, save, nextImage } = this;
    for (const one of [decode, promptToPainted, paint, embeddingWait, save, nextImage]) one.clear();
  }
}
