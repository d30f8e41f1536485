import { type Box, boxOverlap, boxUnion } from "./geometry";
import { cropPatch, type Patch, patchBox, trimPatch } from "./patch";

/** Set algebra of patches: every result is a new, trimmed patch, and nothing outside the masks' own boxes is touched. */

/** Pixels of either. */
export function union(a: Patch, b: Patch): Patch {
  if (a.width === 0) return b;
  if (b.width === 0) return a;
  const all = cropPatch(a, boxUnion(patchBox(a), patchBox(b)));
  eachSharedRow(all, b, (target, source, width) => {
    for (let i = 0; i < width; i++)
      all.data[target + i] = (all.data[target + i] as number) | (b.data[source + i] as number);
  });
  return all;
}

/** Pixels of `a` that are not in `b`. */
export function subtract(a: Patch, b: Patch): Patch {
  if (!overlap(a, b)) return a;
  const left = { ...a, data: a.data.slice() };
  eachSharedRow(left, b, (target, source, width) => {
    for (let i = 0; i < width; i++) if (b.data[source + i] === 1) left.data[target + i] = 0;
  });
  return trimPatch(left);
}

/** `base` with the pixels of all the parts as well (1), or without them (0): copied once, however many they are. */
export function withParts(base: Patch, parts: readonly Patch[], value: 0 | 1): Patch {
  if (parts.length === 0) return base;
  const reach = value === 1 ? parts.map(patchBox) : [];
  const box = base.width > 0 ? [patchBox(base), ...reach] : reach;
  if (box.length === 0) return base;
  const all = cropPatch(base, box.reduce(boxUnion));
  for (const part of parts) {
    eachSharedRow(all, part, (target, source, width) => {
      for (let i = 0; i < width; i++) if (part.data[source + i] === 1) all.data[target + i] = value;
    });
  }
  return value === 0 ? trimPatch(all) : all;
}

/** Number of pixels that both have. */
export function sharedArea(a: Patch, b: Patch): number {
  let area = 0;
  eachSharedRow(a, b, (first, second, width) => {
    for (let i = 0; i < width; i++) area += (a.data[first + i] as number) & (b.data[second + i] as number);
  });
  return area;
}

/** Whether two trimmed patches are the same set of pixels. */
export function samePixels(a: Patch, b: Patch): boolean {
  if (a === b) return true;
  if (a.width !== b.width || a.height !== b.height || a.x !== b.x || a.y !== b.y) return false;
  return a.data.every((value, at) => value === b.data[at]);
}

/** Box that two patches share; null when they are apart. */
export function overlap(a: Patch, b: Patch): Box | null {
  return boxOverlap(patchBox(a), patchBox(b));
}

/** Calls `work` with the start of every shared row in both data arrays, and its width. */
function eachSharedRow(a: Patch, b: Patch, work: (a: number, b: number, width: number) => void): void {
  const box = overlap(a, b);
  if (!box) return;
  for (let y = box.y0; y < box.y1; y++) {
    work((y - a.y) * a.width + box.x0 - a.x, (y - b.y) * b.width + box.x0 - b.x, box.x1 - box.x0);
  }
}
