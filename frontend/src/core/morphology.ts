import { type Box, boxOverlap, type Size } from "./geometry";
import { cropPatch, type Patch, patchArea, patchBox, trimPatch } from "./patch";
import { sharedArea, withParts } from "./pixels";
import { holes, parts } from "./regions";

type Sums = Uint16Array<ArrayBuffer>;

/** Largest radius of `smooth` in image pixels: beyond it the counts would not fit 16 bits, and no edge is that rough. */
const SMOOTH_LARGEST = 7;

/** Side of the blocks that `smooth` looks at one by one, in image pixels. */
const BLOCK = 64;

/** Every pixel whose centre lies within `by` image pixels of the centre of a set one, inside the image. */
export function grow(patch: Patch, by: number, size: Size): Patch {
  if (patch.width === 0 || by <= 0) return patch;
  return trimPatch(dilated(cropPatch(patch, around(patch, Math.ceil(by), size)), by));
}

/**
 * The pixels that lie further than `by` image pixels from everything unset. Where the mask meets the edge of the image
 * nothing is taken off: the object goes on outside.
 */
export function shrink(patch: Patch, by: number, size: Size): Patch {
  if (patch.width === 0 || by <= 0) return patch;
  const framed = cropPatch(patch, around(patch, 1, size));
  const outside = dilated(inverted(framed), by);
  return trimPatch(inverted(outside));
}

/**
 * Evens out an edge: a pixel stays or goes with the weighted majority round it (two box filters of `radius` one after
 * the other, nearly a Gaussian). Holes and parts too small for that radius stay as they were: smoothing closes nothing.
 */
export function smooth(patch: Patch, radius: number, size: Size): Patch {
  const reach = Math.min(SMOOTH_LARGEST, Math.round(radius));
  if (patch.width === 0 || reach < 1) return patch;
  const framed = cropPatch(patch, around(patch, 2 * reach, size));
  const frame = patchBox(framed);
  const even = cropPatch(framed, frame);
  for (let y0 = frame.y0; y0 < frame.y1; y0 += BLOCK) {
    for (let x0 = frame.x0; x0 < frame.x1; x0 += BLOCK) {
      const block = { x0, y0, x1: Math.min(x0 + BLOCK, frame.x1), y1: Math.min(y0 + BLOCK, frame.y1) };
      const seen = cropPatch(framed, boxOverlap(enlarged(block, 2 * reach), frame) ?? block);
      // Far from every edge nothing changes, and that is most of a large mask.
      if (seen.data.includes(1) && seen.data.includes(0)) pasteInto(even, cropPatch(majority(seen, reach), block));
    }
  }
  return withLost(patch, trimPatch(even));
}

/** Every pixel as most of those round it, weighted by the two box filters; the values at the border repeated. */
function majority(patch: Patch, reach: number): Patch {
  const { width, height } = patch;
  let sums: Sums = new Uint16Array(patch.data);
  for (let pass = 0; pass < 2; pass++) {
    sums = columnSums(rowSums(sums, width, height, reach), width, height, reach);
  }
  const half = (2 * reach + 1) ** 4 / 2;
  const data = new Uint8Array(sums.length);
  for (let at = 0; at < data.length; at++) data[at] = (sums[at] as number) > half ? 1 : 0;
  return { ...patch, data };
}

/** Overwrites the pixels of `target` with those of a patch that lies inside it. */
function pasteInto(target: Patch, part: Patch): void {
  for (let row = 0; row < part.height; row++) {
    const line = part.data.subarray(row * part.width, (row + 1) * part.width);
    target.data.set(line, (part.y + row - target.y) * target.width + part.x - target.x);
  }
}

/** Puts back the parts and holes of `before` that have gone altogether. */
function withLost(before: Patch, after: Patch): Patch {
  const lost = parts(before).filter((part) => sharedArea(part, after) === 0);
  const closed = holes(before).filter((hole) => sharedArea(hole, after) === patchArea(hole));
  return withParts(withParts(after, lost, 1), closed, 0);
}

/** The patch's box, larger by `margin` on every side, cut to the image. */
function around(patch: Patch, margin: number, size: Size): Box {
  const box = patchBox(patch);
  return boxOverlap(enlarged(box, margin), { x0: 0, y0: 0, x1: size.width, y1: size.height }) ?? box;
}

function enlarged({ x0, y0, x1, y1 }: Box, margin: number): Box {
  return { x0: x0 - margin, y0: y0 - margin, x1: x1 + margin, y1: y1 + margin };
}

function inverted(patch: Patch): Patch {
  return { ...patch, data: patch.data.map((value) => 1 - value) };
}

/**
 * Dilation by a disc, exact and linear in the pixels: with the distance g to the nearest set pixel of its column, a
 * pixel covers the floor(sqrt(by² - g²)) pixels to its left and right, which difference counts gather row by row.
 */
function dilated(patch: Patch, by: number): Patch {
  const { width, height } = patch;
  const far = Math.floor(by) + 1;
  const distance = columnDistances(patch, far);
  const reach = Int32Array.from({ length: far }, (_, g) => Math.floor(Math.sqrt(by * by - g * g)));
  const data = new Uint8Array(width * height);
  const steps = new Int32Array(width + 1);
  for (let y = 0; y < height; y++) {
    steps.fill(0);
    const row = y * width;
    for (let x = 0; x < width; x++) {
      const g = distance[row + x] as number;
      if (g >= far) continue;
      const w = reach[g] as number;
      const from = Math.max(0, x - w);
      const to = Math.min(width, x + w + 1);
      steps[from] = (steps[from] as number) + 1;
      steps[to] = (steps[to] as number) - 1;
    }
    let covered = 0;
    for (let x = 0; x < width; x++) {
      covered += steps[x] as number;
      if (covered > 0) data[row + x] = 1;
    }
  }
  return { ...patch, data };
}

/** Per pixel the number of rows to the nearest set pixel of its column, `far` at most. */
function columnDistances({ width, height, data }: Patch, far: number): Uint16Array {
  const distance = new Uint16Array(width * height);
  for (let at = 0; at < width * height; at++) {
    const above = at < width ? far : (distance[at - width] as number);
    distance[at] = data[at] === 1 ? 0 : Math.min(far, above + 1);
  }
  for (let at = width * (height - 1) - 1; at >= 0; at--) {
    const below = (distance[at + width] as number) + 1;
    if (below < (distance[at] as number)) distance[at] = below;
  }
  return distance;
}

/** Sums over 2 * reach + 1 neighbours in the row, the values at both ends repeated. */
function rowSums(values: Sums, width: number, height: number, reach: number): Sums {
  const sums = new Uint16Array(values.length);
  for (let y = 0; y < height; y++) {
    const first = y * width;
    const last = first + width - 1;
    let sum = 0;
    for (let i = -reach; i <= reach; i++) sum += values[Math.min(last, Math.max(first, first + i))] as number;
    for (let at = first; at <= last; at++) {
      sums[at] = sum;
      sum += values[Math.min(last, at + reach + 1)] as number;
      sum -= values[Math.max(first, at - reach)] as number;
    }
  }
  return sums;
}

/** The same down the columns; whole rows at a time, for the sake of the memory cache. */
function columnSums(values: Sums, width: number, height: number, reach: number): Sums {
  const sums = new Uint16Array(values.length);
  const running = new Int32Array(width);
  const add = (y: number, sign: 1 | -1) => {
    const row = Math.min(height - 1, Math.max(0, y)) * width;
    for (let x = 0; x < width; x++) running[x] = (running[x] as number) + sign * (values[row + x] as number);
  };
  for (let i = -reach; i <= reach; i++) add(i, 1);
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = y * width; x < width; x++, at++) sums[at] = running[x] as number;
    add(y + reach + 1, 1);
    add(y - reach, -1);
  }
  return sums;
}
