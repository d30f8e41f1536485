import { type Box, boxOverlap } from "./geometry";
import type { Rgb } from "./palette";
import { type Patch, patchBox } from "./patch";
import { patchAtLevel } from "./pyramid";

/** Side of a tile in pixels of its level. */
export const TILE = 256;

/** How one mask is painted. */
export interface MaskPaint {
  readonly patch: Patch;
  readonly colour: Rgb;
  /** 0 is a plain fill; each further number is a hatching of its own, told apart without colour. */
  readonly pattern: number;
  /** Only the rim, twice as thick. */
  readonly outlined: boolean;
  readonly selected: boolean;
}

/** Number of patterns, the plain fill included. */
export const PATTERNS = 6;

const FILL = { plain: 0.38, selected: 0.6 };
const RIM = { plain: 0.9, selected: 1 };
const LINE = 0.85;

/** Whether a pixel lies on a line of the hatching. Counted in pixels of the level, so lines are as fine at any zoom. */
export function hatched(pattern: number, x: number, y: number): boolean {
  switch (pattern % PATTERNS) {
    case 1:
      return (x + y) % 8 < 2;
    case 2:
      return (x - y + (1 << 20)) % 8 < 2;
    case 3:
      return y % 7 < 2;
    case 4:
      return x % 7 < 2;
    case 5:
      return x % 6 < 2 && y % 6 < 2;
    default:
      return false;
  }
}

/**
 * Pixels of one tile with the given masks over one another, lowest first: RGBA, 4 bytes per pixel, not premultiplied,
 * row-major, TILE x TILE. `column` and `row` count tiles of the level. Null when no mask reaches the tile.
 */
export function composeTile(
  masks: readonly MaskPaint[],
  level: number,
  column: number,
  row: number,
): Uint8ClampedArray<ArrayBuffer> | null {
  const [x0, y0] = [column * TILE, row * TILE];
  const tile = { x0, y0, x1: x0 + TILE, y1: y0 + TILE };
  let pixels: Uint8ClampedArray<ArrayBuffer> | null = null;
  for (const mask of masks) {
    const patch = patchAtLevel(mask.patch, level);
    const part = boxOverlap(patchBox(patch), tile);
    if (!part) continue;
    pixels ??= new Uint8ClampedArray(TILE * TILE * 4);
    blend(pixels, mask, patch, part, x0, y0, level === 0 ? 1 : 2);
  }
  return pixels;
}

function blend(
  pixels: Uint8ClampedArray,
  { colour, pattern, outlined, selected }: MaskPaint,
  patch: Patch,
  part: Box,
  left: number,
  top: number,
  thin: number,
): void {
  const { data, width, height } = patch;
  const rim = outlined ? 2 * thin : thin;
  const fill = outlined ? 0 : selected ? FILL.selected : FILL.plain;
  const edge = selected ? RIM.selected : RIM.plain;
  for (let y = part.y0; y < part.y1; y++) {
    const py = y - patch.y;
    for (let x = part.x0; x < part.x1; x++) {
      const px = x - patch.x;
      const at = py * width + px;
      if (data[at] !== 1) continue;
      let inner = px >= rim && py >= rim && px < width - rim && py < height - rim;
      for (let away = 1; inner && away <= rim; away++) {
        inner =
          data[at - away] === 1 &&
          data[at + away] === 1 &&
          data[at - away * width] === 1 &&
          data[at + away * width] === 1;
      }
      const line = inner && pattern > 0 && hatched(pattern, x, y);
      const alpha = inner ? (line ? LINE : fill) : edge;
      if (alpha > 0) over(pixels, ((y - top) * TILE + x - left) * 4, colour, alpha);
    }
  }
}

/** Source-over on colours that are not premultiplied. */
function over(pixels: Uint8ClampedArray, at: number, [red, green, blue]: Rgb, alpha: number): void {
  const below = ((pixels[at + 3] ?? 0) / 255) * (1 - alpha);
  const total = alpha + below;
  const share = alpha / total;
  pixels[at] = red * share + (pixels[at] ?? 0) * (1 - share);
  pixels[at + 1] = green * share + (pixels[at + 1] ?? 0) * (1 - share);
  pixels[at + 2] = blue * share + (pixels[at + 2] ?? 0) * (1 - share);
  pixels[at + 3] = total * 255;
}
