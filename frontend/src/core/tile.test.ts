import { describe, expect, it } from "vitest";
import { imagePoint } from "./geometry";
import type { Rgb } from "./palette";
import { EMPTY_PATCH, type Patch, paintStroke, patchArea, patchHas } from "./patch";
import { levelFor, patchAtLevel } from "./pyramid";
import { composeTile, hatched, type MaskPaint, PATTERNS, TILE } from "./tile";

const RED: Rgb = [255, 0, 0];
const BLUE: Rgb = [0, 0, 255];
const size = { width: 2000, height: 1500 };
const disc = (x: number, y: number, radius: number): Patch =>
  paintStroke(EMPTY_PATCH, [imagePoint(x, y)], radius, 1, size);
const mask = (patch: Patch, part: Partial<MaskPaint> = {}): MaskPaint => ({
  patch,
  colour: RED,
  pattern: 0,
  outlined: false,
  selected: false,
  ...part,
});
const pixel = (pixels: Uint8ClampedArray | null, x: number, y: number) => [
  ...(pixels ?? []).slice((y * TILE + x) * 4, (y * TILE + x) * 4 + 4),
];

describe("levels", () => {
  it("are set exactly where any of their image pixels is", () => {
    const patch = disc(403, 301, 37);
    for (const level of [1, 2, 3, 5]) {
      const coarse = patchAtLevel(patch, level);
      const side = 2 ** level;
      for (let y = 240 >> level; y < 360 >> level; y++) {
        for (let x = 350 >> level; x < 460 >> level; x++) {
          let any = false;
          for (let dy = 0; dy < side && !any; dy++) {
            for (let dx = 0; dx < side && !any; dx++) any = patchHas(patch, imagePoint(x * side + dx, y * side + dy));
          }
          expect(patchHas(coarse, imagePoint(x, y))).toBe(any);
        }
      }
    }
  });

  it("keep a line of one pixel, and are made once", () => {
    const line: Patch = { x: 10, y: 7, width: 300, height: 1, data: new Uint8Array(300).fill(1) };
    expect(patchArea(patchAtLevel(line, 4))).toBe(20);
    expect(patchAtLevel(line, 4)).toBe(patchAtLevel(line, 4));
    expect(patchAtLevel(EMPTY_PATCH, 3).width).toBe(0);
  });

  it("are chosen so that nothing is enlarged before single pixels are", () => {
    expect([4, 1, 0.99, 0.5, 0.3, 0.25, 0.0001].map(levelFor)).toEqual([0, 0, 0, 1, 1, 2, 6]);
  });
});

describe("a tile", () => {
  it("shows the part of a mask that lies in it, across tile borders", () => {
    const patch = disc(TILE, 100, 40);
    const left = composeTile([mask(patch)], 0, 0, 0);
    const right = composeTile([mask(patch)], 0, 1, 0);
    expect(pixel(left, TILE - 20, 100)).toEqual([255, 0, 0, 97]);
    expect(pixel(right, 20, 100)).toEqual([255, 0, 0, 97]);
    expect(pixel(right, 39, 100)[3]).toBeGreaterThan(200); // the rim
    expect(pixel(right, 60, 100)[3]).toBe(0);
    expect(composeTile([mask(patch)], 0, 2, 0)).toBeNull();
  });

  it("lays the later mask over the earlier one", () => {
    const [below, above] = [mask(disc(100, 100, 50)), mask(disc(120, 100, 50), { colour: BLUE })];
    const [red, , blue, alpha] = pixel(composeTile([below, above], 0, 0, 0), 110, 100);
    expect(alpha).toBe(157); // 1 - (1 - 0.38)²
    expect(blue).toBeGreaterThan(red ?? 0);
    expect(pixel(composeTile([above, below], 0, 0, 0), 110, 100)[0]).toBe(blue);
  });

  it("shows a hole as a hole, at every level", () => {
    const ring = paintStroke(disc(128, 128, 100), [imagePoint(128, 128)], 40, 0, size);
    for (const level of [0, 1, 2]) {
      const at = 128 >> level;
      expect(pixel(composeTile([mask(ring)], level, 0, 0), at, at)).toEqual([0, 0, 0, 0]);
    }
  });

  it("leaves the picture free inside an outlined mask", () => {
    const pixels = composeTile([mask(disc(100, 100, 60), { outlined: true })], 0, 0, 0);
    expect(pixel(pixels, 100, 100)[3]).toBe(0);
    expect(pixel(pixels, 41, 100)[3]).toBeGreaterThan(200);
  });

  it("marks a selected mask, and tells masks apart by hatching alone", () => {
    const patch = disc(100, 100, 60);
    const plain = composeTile([mask(patch)], 0, 0, 0);
    const chosen = composeTile([mask(patch, { selected: true })], 0, 0, 0);
    expect(pixel(chosen, 100, 100)[3]).toBeGreaterThan(pixel(plain, 100, 100)[3] ?? 255);
    const looks = Array.from({ length: PATTERNS }, (_, pattern) => {
      const pixels = composeTile([mask(patch, { pattern })], 0, 0, 0);
      return Array.from(
        { length: 24 * 24 },
        (_, at) => pixel(pixels, 90 + (at % 24), 90 + Math.floor(at / 24))[3],
      ).join();
    });
    expect(new Set(looks).size).toBe(PATTERNS);
    expect(hatched(0, 3, 3)).toBe(false);
  });
});
