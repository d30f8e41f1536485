import type { Size } from "../core/geometry";
import { levelFor } from "../core/pyramid";
import type { Viewport } from "../core/viewport";

/** Pictures of at most this many pixels on a side need no smaller copies. */
const SMALL = 1024;

const pyramids = new WeakMap<HTMLImageElement, ImagePyramid>();

/** The picture's pyramid; made once per picture, as long as it is alive. */
export function pyramidOf(image: HTMLImageElement): ImagePyramid {
  const known = pyramids.get(image) ?? new ImagePyramid(image);
  pyramids.set(image, known);
  return known;
}

/**
 * A picture with copies of half, a quarter, ... of its size, made away from the main thread. Drawing a large picture
 * small costs as little as drawing a small one, and never decodes it again.
 */
export class ImagePyramid {
  private readonly levels: ImageBitmap[] = [];
  private readonly listeners = new Set<() => void>();

  constructor(private readonly image: HTMLImageElement) {
    void this.build();
  }

  /** Calls back when a sharper or quicker source than before is there. Returns what takes the listener off. */
  onBetter(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The copy to draw at a scale of device pixels per image pixel, and how many image pixels one of its pixels is. */
  source(scale: number): { readonly source: CanvasImageSource; readonly step: number } {
    const level = Math.min(levelFor(scale), this.levels.length - 1);
    const bitmap = this.levels[level];
    return bitmap ? { source: bitmap, step: 2 ** level } : { source: this.image, step: 1 };
  }

  private async build(): Promise<void> {
    try {
      let bitmap = await createImageBitmap(this.image);
      this.levels.push(bitmap);
      while (Math.max(bitmap.width, bitmap.height) > SMALL) {
        bitmap = await createImageBitmap(bitmap, {
          resizeWidth: Math.ceil(bitmap.width / 2),
          resizeHeight: Math.ceil(bitmap.height / 2),
          resizeQuality: "medium",
        });
        this.levels.push(bitmap);
      }
      for (const listener of this.listeners) listener();
    } catch {
      // Without copies the picture itself is drawn: slower, not wrong.
    }
  }
}

/** Draws the part of the picture that the canvas shows. `context` is in device pixels, `ratio` per CSS pixel. */
export function drawImage(
  context: CanvasRenderingContext2D,
  image: HTMLImageElement,
  size: Size,
  view: Viewport,
  ratio: number,
): void {
  const scale = view.scale * ratio;
  const { source, step } = pyramidOf(image).source(scale);
  const { canvas } = context;
  const left = Math.max(0, Math.floor(-view.x / view.scale / step));
  const top = Math.max(0, Math.floor(-view.y / view.scale / step));
  const right = Math.min(Math.ceil(size.width / step), Math.ceil((canvas.width / ratio - view.x) / view.scale / step));
  const bottom = Math.min(
    Math.ceil(size.height / step),
    Math.ceil((canvas.height / ratio - view.y) / view.scale / step),
  );
  if (right <= left || bottom <= top) return;
  // Zoomed in, people judge single pixels: show them as they are.
  context.imageSmoothingEnabled = scale < 2;
  context.imageSmoothingQuality = "medium";
  const unit = step * scale;
  context.drawImage(
    source,
    left,
    top,
    right - left,
    bottom - top,
    view.x * ratio + left * unit,
    view.y * ratio + top * unit,
    (right - left) * unit,
    (bottom - top) * unit,
  );
}
