import { EMPTY_PATCH, type Patch } from "./patch";

/**
 * COCO run-length encoding: runs of 0s and 1s in turn, starting with 0s, down the columns of the mask
 * (column-major). `size` is [height, width]; `counts` is COCO's compressed string. Golden files shared
 * with Python: tests/golden/rle_cases.json.
 */
export interface Segmentation {
  readonly size: readonly [number, number];
  readonly counts: string;
}

export class RleError extends Error {}

/** Compresses run lengths: 5 bits per character, differences to the run two before from the fourth run on. */
export function encodeCounts(runs: readonly number[]): string {
  const characters: number[] = [];
  for (let i = 0; i < runs.length; i++) {
    let x = runs[i] ?? 0;
    if (i > 2) x -= runs[i - 2] ?? 0;
    for (;;) {
      let bits = x & 0x1f;
      x >>= 5;
      const more = bits & 0x10 ? x !== -1 : x !== 0;
      if (more) bits |= 0x20;
      characters.push(bits + 48);
      if (!more) break;
    }
  }
  let text = "";
  // In slices: spreading a very long run list would overflow the call stack.
  for (let i = 0; i < characters.length; i += 4096) text += String.fromCharCode(...characters.slice(i, i + 4096));
  return text;
}

/** Inverse of encodeCounts. Throws RleError when the string ends inside a number or holds a negative run. */
export function decodeCounts(counts: string): number[] {
  const runs: number[] = [];
  let position = 0;
  while (position < counts.length) {
    let x = 0;
    let shift = 0;
    for (;;) {
      const code = counts.charCodeAt(position++) - 48;
      if (!(code >= 0 && code < 64) || shift > 30) throw new RleError("The mask's run lengths are damaged.");
      x |= (code & 0x1f) << shift;
      shift += 5;
      if (code & 0x20) continue;
      if (code & 0x10 && shift < 32) x |= -1 << shift;
      break;
    }
    if (runs.length > 2) x += runs[runs.length - 2] ?? 0;
    if (x < 0) throw new RleError("The mask's run lengths are damaged.");
    runs.push(x);
  }
  return runs;
}

/** Encodes a patch of an image of the given size [height, width] without making the full bitmap. */
export function encodePatch(patch: Patch, size: readonly [number, number]): Segmentation {
  const [height, width] = size;
  const runs: number[] = [];
  let value = 0;
  let run = 0;
  const extend = (next: number, length: number) => {
    if (length <= 0) return;
    if (next === value) {
      run += length;
      return;
    }
    runs.push(run);
    value = next;
    run = length;
  };
  extend(0, patch.x * height);
  for (let x = 0; x < patch.width; x++) {
    extend(0, patch.y);
    for (let y = 0, at = x; y < patch.height; y++, at += patch.width) extend(patch.data[at] ?? 0, 1);
    extend(0, height - patch.y - patch.height);
  }
  extend(0, (width - patch.x - patch.width) * height);
  if (run > 0) runs.push(run);
  return { size: [height, width], counts: encodeCounts(runs) };
}

/** Decodes into the smallest patch. Throws RleError when the runs do not fill height * width exactly. */
export function decodePatch(segmentation: Segmentation): Patch {
  const [height, width] = segmentation.size;
  const runs = decodeCounts(segmentation.counts);
  const box = runsBox(runs, height, width);
  if (!box) return EMPTY_PATCH;
  const { left, top, right, bottom } = box;
  const patchWidth = right - left + 1;
  const data = new Uint8Array(patchWidth * (bottom - top + 1));
  let at = 0;
  runs.forEach((run, index) => {
    if (index % 2 === 1) {
      let column = Math.floor(at / height);
      let row = at - column * height;
      for (let rest = run; rest > 0; rest--) {
        data[(row - top) * patchWidth + column - left] = 1;
        row++;
        if (row === height) {
          row = 0;
          column++;
        }
      }
    }
    at += run;
  });
  return { x: left, y: top, width: patchWidth, height: bottom - top + 1, data };
}

function runsBox(runs: readonly number[], height: number, width: number) {
  let at = 0;
  let left = width;
  let right = -1;
  let top = height;
  let bottom = -1;
  runs.forEach((run, index) => {
    if (index % 2 === 1 && run > 0) {
      const last = at + run - 1;
      const firstColumn = Math.floor(at / height);
      const lastColumn = Math.floor(last / height);
      left = Math.min(left, firstColumn);
      right = Math.max(right, lastColumn);
      const wraps = lastColumn > firstColumn;
      top = Math.min(top, wraps ? 0 : at % height);
      bottom = Math.max(bottom, wraps ? height - 1 : last % height);
    }
    at += run;
  });
  if (at !== height * width) throw new RleError("The mask does not fit its image.");
  return right < 0 ? null : { left, right, top, bottom };
}

/** A patch as run lengths over its own box: a hundredth of its memory, for pixels that are not needed now. */
export interface PackedPatch {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Lengths of runs of 0s and 1s in turn, row by row, beginning with 0s. */
  readonly runs: Uint32Array;
}

export function packPatch({ x, y, width, height, data }: Patch): PackedPatch {
  const runs: number[] = [];
  let value = 0;
  for (let at = 0; at < data.length; value = 1 - value) {
    const end = data.indexOf(1 - value, at);
    const stop = end < 0 ? data.length : end;
    runs.push(stop - at);
    at = stop;
  }
  return { x, y, width, height, runs: Uint32Array.from(runs) };
}

export function unpackPatch({ x, y, width, height, runs }: PackedPatch): Patch {
  const data = new Uint8Array(width * height);
  let at = 0;
  runs.forEach((run, index) => {
    if (index % 2 === 1) data.fill(1, at, at + run);
    at += run;
  });
  return { x, y, width, height, data };
}
