import { describe, expect, it } from "vitest";
import { imagePoint } from "./geometry";
import { innermost } from "./innermost";
import { EMPTY_PATCH, type Patch, paintStroke, patchHas } from "./patch";
import { randomFrom, randomPatch } from "./testingPatches";

const size = { width: 24, height: 18 };
const large = { width: 6000, height: 4000 };

/** Distance from a pixel to the nearest one that is not set, by looking at all of them. */
function depthAt(patch: Patch, x: number, y: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let row = -1; row <= patch.height; row++) {
    for (let column = -1; column <= patch.width; column++) {
      const set = patchHas(patch, imagePoint(patch.x + column + 0.5, patch.y + row + 0.5));
      if (!set) least = Math.min(least, Math.hypot(column - x, row - y));
    }
  }
  return least;
}

describe("the middle of a mask", () => {
  it("is a pixel of it, and no other is clearly deeper", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const patch = randomPatch(randomFrom(seed), size);
      const middle = innermost(patch);
      if (!middle) {
        expect(patch.data.includes(1)).toBe(false);
        continue;
      }
      expect(patchHas(patch, middle.point)).toBe(true);
      let deepest = 0;
      for (let at = 0; at < patch.data.length; at++) {
        if (patch.data[at] === 1) {
          deepest = Math.max(deepest, depthAt(patch, at % patch.width, Math.floor(at / patch.width)));
        }
      }
      const [x, y] = [middle.point.x - 0.5 - patch.x, middle.point.y - 0.5 - patch.y];
      expect(depthAt(patch, x, y), `seed ${seed}`).toBeGreaterThanOrEqual(0.85 * deepest);
      expect(Math.abs(middle.depth - depthAt(patch, x, y)), `seed ${seed}`).toBeLessThanOrEqual(0.1 * deepest + 0.5);
    }
  });

  it("is not in the hole of a ring", () => {
    const disc = paintStroke(EMPTY_PATCH, [imagePoint(12, 9)], 8, 1, size);
    const ring = paintStroke(disc, [imagePoint(12, 9)], 4, 0, size);
    const middle = innermost(ring);
    expect(middle && patchHas(ring, middle.point)).toBe(true);
    expect(middle?.depth).toBeLessThan(4);
  });

  it("is found on a mask of 24 megapixels too", () => {
    const disc = paintStroke(EMPTY_PATCH, [imagePoint(3000, 2000)], 1900, 1, large);
    const middle = innermost(disc);
    expect(Math.hypot((middle?.point.x ?? 0) - 3000, (middle?.point.y ?? 0) - 2000)).toBeLessThan(120);
  });

  it("is nowhere in an empty mask", () => {
    expect(innermost(EMPTY_PATCH)).toBeUndefined();
  });
});
