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
  /** The decoder itself: from a prompt in its worker to low-resolution logits and predicted IoUs. */
  readonly decode = new Latency();
  /** One answer, from the request to all masks in image pixels. */
  readonly answer = new Latency();
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

  /** A prompt was answered; `decoding` is null where that was known before, or was not done here. */
  answered({ milliseconds, decoding }: { readonly milliseconds: number; readonly decoding: number | null }): void {
    this.answer.add(milliseconds);
    if (decoding !== null) this.decode.add(decoding);
  }

  /** Counts anew. */
  clear(): void {
    const { decode, answer, promptToPainted, paint, embeddingWait, save, nextImage } = this;
    for (const one of [decode, answer, promptToPainted, paint, embeddingWait, save, nextImage]) one.clear();
  }
}
