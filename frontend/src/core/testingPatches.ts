import { imagePoint, type Size } from "./geometry";
import { EMPTY_PATCH, type Patch, paintStroke, patchHas, trimPatch } from "./patch";

/** For tests: a generator of numbers in 0..1 that gives the same ones every time (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** For tests: blobs with holes, speckles, or both, sometimes touching the image's edge, sometimes empty. */
export function randomPatch(random: () => number, size: Size): Patch {
  let patch = EMPTY_PATCH;
  const strokes = Math.floor(random() * 5);
  for (let i = 0; i < strokes; i++) {
    const at = () => imagePoint(random() * size.width, random() * size.height);
    patch = paintStroke(patch, [at(), at()], 1 + random() * 6, random() < 0.7 ? 1 : 0, size);
  }
  if (random() < 0.5) return patch;
  const data = patch.data.map((value) => (random() < 0.15 ? 1 - value : value));
  return trimPatch({ ...patch, data });
}

/** For tests: a patch from rows of characters, "#" being set, with its first character at image pixel (x, y). */
export function drawn(rows: readonly string[], x = 0, y = 0): Patch {
  const width = rows[0]?.length ?? 0;
  const data = Uint8Array.from(rows.flatMap((row) => [...row].map((character) => (character === "#" ? 1 : 0))));
  return trimPatch({ x, y, width, height: rows.length, data });
}

/** For tests: the patch as one boolean per image pixel, row-major. */
export function bits(patch: Patch, size: Size): boolean[] {
  return Array.from({ length: size.width * size.height }, (_, at) =>
    patchHas(patch, imagePoint((at % size.width) + 0.5, Math.floor(at / size.width) + 0.5)),
  );
}
