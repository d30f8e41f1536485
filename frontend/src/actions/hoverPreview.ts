import type { ImagePoint } from "../core/geometry";
import type { Latency } from "../core/latency";
import type { Patch } from "../core/patch";
import { bestOf, type Segmenter } from "../segmenter/segmenter";

interface HoverOptions {
  readonly segmenter: Segmenter;
  readonly imageId: number;
  readonly decodes: Latency;
  readonly wanted: () => boolean;
  readonly changed: () => void;
}

/** The mask that a click here would give, live under the pointer. Newest wins; a slow decoder skips positions. */
export class HoverPreview {
  patch: Patch | null = null;
  private next: ImagePoint | null = null;
  private running = false;

  constructor(private readonly options: HoverOptions) {}

  /** Null: the pointer has gone. */
  at(point: ImagePoint | null): void {
    this.next = this.options.wanted() ? point : null;
    if (this.next) {
      if (!this.running) void this.run();
    } else if (this.patch) {
      this.patch = null;
      this.options.changed();
    }
  }

  /** Forgets the preview without telling: something else is about to be shown. */
  clear(): void {
    this.patch = null;
    this.next = null;
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.next) {
      const point = this.next;
      this.next = null;
      try {
        const answer = await this.options.segmenter.decode({
          imageId: this.options.imageId,
          points: [point],
          labels: [1],
          box: null,
          feed: null,
          rough: null,
          purpose: "hover",
        });
        this.options.decodes.add(answer.milliseconds);
        if (this.options.wanted()) this.patch = bestOf(answer.candidates)?.patch ?? null;
        this.options.changed();
      } catch {
        // A preview that failed or was overtaken is not missed; a click would say why.
        break;
      }
    }
    this.running = false;
  }
}
