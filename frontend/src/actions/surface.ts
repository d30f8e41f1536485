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
  /** How another image of the same size was shown, where this one goes on from it. */
  private carried: { readonly view: Viewport; readonly canvas: Size } | null = null;
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
    const opened = () => (this.opening ? zoomToBox(this.opening, canvas) : this.begun(canvas));
    this.view = first ? opened() : this.adapted(this.view, this.canvas, canvas);
    this.canvas = canvas;
    this.touch();
  }

  /** Begins where another image of the same size was left. */
  begin(carried: { readonly view: Viewport; readonly canvas: Size }): void {
    this.carried = carried;
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

  private begun(canvas: Size): Viewport {
    const { carried } = this;
    return carried ? this.adapted(carried.view, carried.canvas, canvas) : fitImage(this.size, canvas);
  }

  /** The same view on a canvas of another size: what showed the whole image goes on doing so. */
  private adapted(view: Viewport, before: Size, after: Size): Viewport {
    const fitted = fitImage(this.size, before);
    const whole = view.scale === fitted.scale && view.x === fitted.x && view.y === fitted.y;
    return whole ? fitImage(this.size, after) : resized(view, before, after);
  }

  /** A frame was painted in so many milliseconds; `answered`: it shows the answer to the last prompt. */
  protected measure(milliseconds: number, now: number, answered: boolean): void {
    this.timings.paint.add(milliseconds);
    if (this.promptedAt === null || !answered) return;
    this.timings.promptToPainted.add(now - this.promptedAt);
    this.promptedAt = null;
  }
}
