import { EMPTY_PATCH, type Patch } from "./patch";

/** Coarser than this no level is needed: 2^6 image pixels on a side of one. */
export const COARSEST = 6;

const levels = new WeakMap<Patch, Patch[]>();

/**
 * The patch at a coarser resolution: level k has one pixel per 2^k x 2^k image pixels, counted from the image's corner,
 * and it is set where any of them is, so that thin things stay visible. x, y, width and height are in pixels of that
 * level. Kept as long as the patch is alive.
 */
export function patchAtLevel(patch: Patch, level: number): Patch {
  if (level <= 0) return patch;
  let known = levels.get(patch);
  if (!known) {
    known = [];
    levels.set(patch, known);
  }
  for (let at = known.length; at < level; at++) known.push(halved(known[at - 1] ?? patch));
  return known[level - 1] ?? EMPTY_PATCH;
}

function halved(patch: Patch): Patch {
  if (patch.width === 0 || patch.height === 0) return EMPTY_PATCH;
  const x = patch.x >> 1;
  const y = patch.y >> 1;
  const width = ((patch.x + patch.width + 1) >> 1) - x;
  const height = ((patch.y + patch.height + 1) >> 1) - y;
  const data = new Uint8Array(width * height);
  const shift = patch.x - 2 * x;
  for (let row = 0, at = 0; row < patch.height; row++) {
    const target = (((patch.y + row) >> 1) - y) * width;
    for (let column = 0; column < patch.width; column++, at++) {
      if (patch.data[at] === 1) data[target + ((column + shift) >> 1)] = 1;
    }
  }
  return { x, y, width, height, data };
}

/** The level whose pixels are shown at more than half their size and never enlarged, for a scale in device pixels. */
export function levelFor(scale: number): number {
  return Math.min(COARSEST, Math.max(0, Math.floor(-Math.log2(scale))));
}
