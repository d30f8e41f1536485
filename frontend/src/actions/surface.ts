import { Emitter } from "../core/emitter";
import type { Box, ScreenPoint, Size } from "../core/geometry";
import type { Timings } from "../core/latency";
import { fitImage, panBy, resized, type Viewport, zoomAt, zoomToBox } from "../core/viewport";

/** Which part of the image the canvas shows, and how long painting it takes. What shows a session listens to `changed`. */
export class Surface {
  readonly changed = new Emitter<void>();
  version = 0;
  view: Viewport;
  canvas: Size = { width: 1, height: 1 };
  /** What is shown first; null: all of the image. */
  opening: Box | null = null;
  /** When the last prompt was given, until its mask is painted. */
  promptedAt: number | null = null;

  constructor(
    readonly size: Size,
    private readonly timings: Timings,
  ) {
    this.view = fitImage(size, this.canvas);
  }

  touch(): void {
    this.version += 1;
    this.changed.emit();
  }

  setCanvas(canvas: Size): void {
    const first = this.canvas.width <= 1;
    const opened = () => (this.opening ? zoomToBox(this.opening, canvas) : fitImage(this.size, canvas));
    this.view = first ? opened() : resized(this.view, this.canvas, canvas);
    this.canvas = canvas;
    this.touch();
  }

  setView(view: Viewport): void {
    this.view = view;
    this.touch();
  }

  zoom(at: ScreenPoint, factor: number): void {
    this.setView(zoomAt(this.view, at, factor, this.size, this.canvas));
  }

  pan(dx: number, dy: number): void {
    this.setView(panBy(this.view, dx, dy, this.size, this.canvas));
  }

  /** A frame was painted in so many milliseconds; `answered`: it shows the answer to the last prompt. */
  protected measure(milliseconds: number, now: number, answered: boolean): void {
    this.timings.paint.add(milliseconds);
    if (this.promptedAt === null || !answered) return;
    this.timings.promptToPainted.add(now - this.promptedAt);
    this.promptedAt = null;
  }
}
