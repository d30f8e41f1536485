import type { Rgb } from "../core/palette";
import type { Patch } from "../core/patch";

export interface PatchStyle {
  readonly colour: Rgb;
  /** Opacity of the inside, 0..1; the rim is drawn at `rim`. */
  readonly fill: number;
  readonly rim: number;
}

/** Paints a patch into a canvas of its own, one canvas pixel per image pixel, its rim stronger than its inside. */
export function patchBitmap(patch: Patch, style: PatchStyle): HTMLCanvasElement | null {
  const { width, height } = patch;
  if (width === 0 || height === 0) return null;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return null;
  const image = context.createImageData(width, height);
  fillPixels(new Uint32Array(image.data.buffer), patch, style);
  context.putImageData(image, 0, 0);
  return canvas;
}

function fillPixels(pixels: Uint32Array, patch: Patch, style: PatchStyle): void {
  const { width, height, data } = patch;
  const [red, green, blue] = style.colour;
  const rgb = red | (green << 8) | (blue << 16);
  const inside = (rgb | (Math.round(style.fill * 255) << 24)) >>> 0;
  const rim = (rgb | (Math.round(style.rim * 255) << 24)) >>> 0;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (data[at] === 0) continue;
      const inner =
        x > 0 &&
        x < width - 1 &&
        y > 0 &&
        y < height - 1 &&
        data[at - 1] === 1 &&
        data[at + 1] === 1 &&
        data[at - width] === 1 &&
        data[at + width] === 1;
      pixels[at] = inner ? inside : rim;
    }
  }
}

/** Bitmaps by patch and style; a patch that nobody holds any more takes its bitmaps with it. */
export class PatchBitmaps {
  private readonly known = new WeakMap<Patch, Map<string, HTMLCanvasElement | null>>();

  get(patch: Patch, style: PatchStyle): HTMLCanvasElement | null {
    const key = `${style.colour.join()}/${style.fill}/${style.rim}`;
    let styles = this.known.get(patch);
    if (!styles) {
      styles = new Map();
      this.known.set(patch, styles);
    }
    const known = styles.get(key);
    if (known !== undefined) return known;
    const made = patchBitmap(patch, style);
    styles.set(key, made);
    return made;
  }
}
