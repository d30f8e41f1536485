import type { ImagePoint } from "../core/geometry";
import type { Timings } from "../core/latency";
import type { Patch } from "../core/patch";
import { bestOf, type Candidate, type Segmenter } from "../segmenter/segmenter";

interface HoverOptions {
  readonly segmenter: Segmenter;
  readonly imageId: number;
  readonly timings: Timings;
  readonly wanted: () => boolean;
  readonly changed: () => void;
}

/** A decoder that takes longer than this, in milliseconds, cannot follow the pointer: it is asked where the pointer rests. */
const SLOW = 40;
/** How long, in milliseconds, makes a rest. A click that comes sooner finds the decoder free. */
const REST = 60;

/** The mask that a click here would give, live under the pointer. Newest wins; a slow decoder skips positions. */
export class HoverPreview {
  private answer: { readonly point: ImagePoint; readonly candidate: Candidate } | null = null;
  private visible = false;
  private next: ImagePoint | null = null;
  private running = false;
  private slow = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: HoverOptions) {}

  get patch(): Patch | null {
    return this.visible ? (this.answer?.candidate.patch ?? null) : null;
  }

  /** What the model has said already of a click just there. */
  answerTo(point: { readonly x: number; readonly y: number }): Candidate | null {
    const { answer } = this;
    return answer && answer.point.x === point.x && answer.point.y === point.y ? answer.candidate : null;
  }

  /** Null: the pointer has gone. */
  at(point: ImagePoint | null): void {
    this.next = this.options.wanted() ? point : null;
    if (this.next) {
      this.schedule();
    } else if (this.visible) {
      this.visible = false;
      this.options.changed();
    }
  }

  /** Shows the preview no more, without telling: something else is about to be shown. */
  clear(): void {
    this.visible = false;
    this.next = null;
  }

  /** Another model answers from now on. */
  forget(): void {
    this.clear();
    this.answer = null;
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.running || !this.next) return;
    if (this.slow) this.timer = setTimeout(() => void this.run(), REST);
    else void this.run();
  }

  private async run(): Promise<void> {
    const point = this.next;
    if (!point || this.running) return;
    const { segmenter, imageId, timings, wanted, changed } = this.options;
    this.next = null;
    this.running = true;
    try {
      const prompt = { points: [point], labels: [1 as const], box: null, feed: null, rough: null };
      const answer = await segmenter.decode({ imageId, ...prompt, purpose: "hover" });
      timings.answered(answer);
      this.slow = answer.milliseconds > SLOW;
      const candidate = bestOf(answer.candidates);
      this.answer = candidate && { point, candidate };
      this.visible = wanted();
      changed();
    } catch {
      // A preview that failed or was overtaken is not missed; a click would say why.
      this.next = null;
    }
    this.running = false;
    this.schedule();
  }
}
