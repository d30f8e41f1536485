import { type Box, boxOverlap, boxUnion, type ImagePoint, pixelBox, type Size } from "./geometry";

/**
 * The set pixels of one mask inside a box of whole image pixels.
 *
 * `data` is row-major, one byte per pixel (0 or 1), `width * height` long; (x, y) is the image pixel of its first
 * byte. A mask is kept this way, and not as a full bitmap, so that 200 masks on a 12-megapixel picture stay small.
 */
export interface Patch {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export const EMPTY_PATCH: Patch = { x: 0, y: 0, width: 0, height: 0, data: new Uint8Array(0) };

export const patchBox = (patch: Patch): Box => ({
  x0: patch.x,
  y0: patch.y,
  x1: patch.x + patch.width,
  y1: patch.y + patch.height,
});

/** Number of set pixels. */
export function patchArea(patch: Patch): number {
  let area = 0;
  for (const value of patch.data) area += value;
  return area;
}

/** Whether the image pixel under the point is set. */
export function patchHas(patch: Patch, point: ImagePoint): boolean {
  const x = Math.floor(point.x) - patch.x;
  const y = Math.floor(point.y) - patch.y;
  if (x < 0 || y < 0 || x >= patch.width || y >= patch.height) return false;
  return patch.data[y * patch.width + x] === 1;
}

/** The same pixels in the smallest box that holds them; EMPTY_PATCH when none is set. */
export function trimPatch(patch: Patch): Patch {
  const { width, height, data } = patch;
  let top = height;
  let bottom = -1;
  let left = width;
  let right = -1;
  for (let y = 0; y < height; y++) {
    const start = y * width;
    const first = data.subarray(start, start + width).indexOf(1);
    if (first < 0) continue;
    if (top === height) top = y;
    bottom = y;
    if (first < left) left = first;
    const last = data.subarray(start, start + width).lastIndexOf(1);
    if (last > right) right = last;
  }
  if (bottom < 0) return EMPTY_PATCH;
  if (left === 0 && top === 0 && right === width - 1 && bottom === height - 1) return patch;
  return cropPatch(patch, { x0: patch.x + left, y0: patch.y + top, x1: patch.x + right + 1, y1: patch.y + bottom + 1 });
}

/** The patch over exactly `box` (whole pixels): cut where it is larger, filled with zeros where it is smaller. */
export function cropPatch(patch: Patch, box: Box): Patch {
  const width = box.x1 - box.x0;
  const height = box.y1 - box.y0;
  const cropped = { x: box.x0, y: box.y0, width, height, data: new Uint8Array(width * height) };
  const shared = boxOverlap(box, patchBox(patch));
  if (!shared) return cropped;
  for (let y = shared.y0; y < shared.y1; y++) {
    const source = (y - patch.y) * patch.width - patch.x;
    const row = patch.data.subarray(source + shared.x0, source + shared.x1);
    cropped.data.set(row, (y - box.y0) * width + shared.x0 - box.x0);
  }
  return cropped;
}

/** A point of a brush stroke in image pixels; `pressure` 0..1 (1 where there is none) makes the brush thinner. */
export interface StrokePoint {
  readonly x: number;
  readonly y: number;
  readonly pressure?: number;
}

/** Share of its size that a brush keeps under no pressure at all. */
const THINNEST = 0.25;

/** Radius of a brush of `radius` under a point's pressure. */
export const pressedRadius = (point: StrokePoint, radius: number): number =>
  radius * (THINNEST + (1 - THINNEST) * (point.pressure ?? 1));

/**
 * Paints (value 1) or erases (value 0) a round brush along a line of image points, at image resolution. A pixel belongs
 * to the stroke when its centre lies within the radius of the line: `radius` image pixels, less where a pen pressed
 * less, changing evenly from point to point. Returns a new patch.
 */
export function paintStroke(
  patch: Patch,
  points: readonly StrokePoint[],
  radius: number,
  value: 0 | 1,
  size: Size,
): Patch {
  const first = points[0];
  if (!first) return patch;
  const reach = pixelBox(points, radius, size);
  if (!reach) return patch;
  const box = patch.width === 0 ? reach : patchBox(patch);
  const grown = cropPatch(patch, value === 1 ? boxUnion(box, reach) : patchBox(patch));
  points.forEach((point, index) => {
    paintSegment(grown, points[index - 1] ?? point, point, radius, value);
  });
  return trimPatch(grown);
}

function paintSegment(patch: Patch, a: StrokePoint, b: StrokePoint, radius: number, value: 0 | 1): void {
  const { x: left, y: top, width, height, data } = patch;
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const length2 = dx * dx + dy * dy;
  const from = pressedRadius(a, radius);
  const change = pressedRadius(b, radius) - from;
  const y0 = Math.max(0, Math.floor(Math.min(a.y, b.y) - radius) - top);
  const y1 = Math.min(height, Math.ceil(Math.max(a.y, b.y) + radius) - top);
  const x0 = Math.max(0, Math.floor(Math.min(a.x, b.x) - radius) - left);
  const x1 = Math.min(width, Math.ceil(Math.max(a.x, b.x) + radius) - left);
  for (let y = y0; y < y1; y++) {
    const py = y + top + 0.5 - a.y;
    for (let x = x0; x < x1; x++) {
      const px = x + left + 0.5 - a.x;
      const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
      const ex = px - t * dx;
      const ey = py - t * dy;
      const reach = from + t * change;
      if (ex * ex + ey * ey <= reach * reach) data[y * width + x] = value;
    }
  }
}
