import { describe, expect, it } from "vitest";
import { imagePoint } from "./geometry";
import { grow, shrink, smooth } from "./morphology";
import { EMPTY_PATCH, paintStroke, patchArea, trimPatch } from "./patch";
import { samePixels, sharedArea, subtract, union } from "./pixels";
import { countParts, fillHoles, holes, parts, removeIslands } from "./regions";
import { decodePatch, encodePatch } from "./rle";
import { bits, drawn, randomFrom, randomPatch } from "./testingPatches";

const size = { width: 48, height: 36 };
const ROUNDS = 150;

/** Runs `check` on many generated pairs of masks; the seed of a failing one is in the message. */
function forPatches(check: (a: ReturnType<typeof randomPatch>, b: ReturnType<typeof randomPatch>) => void): void {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomFrom(seed);
    const pair = [randomPatch(random, size), randomPatch(random, size)] as const;
    try {
      check(...pair);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

describe("set algebra", () => {
  it("is that of the full bitmaps", () => {
    forPatches((a, b) => {
      const [inA, inB] = [bits(a, size), bits(b, size)];
      expect(bits(union(a, b), size)).toEqual(inA.map((value, at) => value || inB[at]));
      expect(bits(subtract(a, b), size)).toEqual(inA.map((value, at) => value && !inB[at]));
      expect(sharedArea(a, b)).toBe(inA.filter((value, at) => value && inB[at]).length);
    });
  });

  it("gives trimmed patches and leaves what it was given alone", () => {
    forPatches((a, b) => {
      const [keptA, keptB] = [a.data.slice(), b.data.slice()];
      for (const made of [union(a, b), subtract(a, b)]) expect(trimPatch(made)).toBe(made);
      expect([a.data, b.data]).toEqual([keptA, keptB]);
    });
  });

  it("tells equal masks from others", () => {
    forPatches((a, b) => {
      expect(samePixels(a, trimPatch({ ...a, data: a.data.slice() }))).toBe(true);
      expect(samePixels(a, b)).toBe(bits(a, size).join() === bits(b, size).join());
    });
  });
});

describe("parts and holes", () => {
  it("add up to the mask, apart from one another, largest first", () => {
    forPatches((a) => {
      const all = parts(a);
      expect(all).toHaveLength(countParts(a));
      expect(samePixels(all.reduce(union, EMPTY_PATCH), a)).toBe(true);
      expect(all.reduce((sum, part) => sum + patchArea(part), 0)).toBe(patchArea(a));
      const areas = all.map(patchArea);
      expect(areas).toEqual(areas.toSorted((x, y) => y - x));
      for (const part of all) expect(countParts(part)).toBe(1);
    });
  });

  it("hang together by corners inside the mask, by sides only outside it", () => {
    const diagonal = drawn(["#..", ".#.", "..#"]);
    expect(countParts(diagonal)).toBe(1);
    const ring = drawn([".#.", "#.#", ".#."]);
    expect(holes(ring)).toHaveLength(1);
    expect(fillHoles(ring).data.join("")).toBe("010111010");
  });

  it("filled: no hole is left, nothing else has changed", () => {
    forPatches((a) => {
      const filled = fillHoles(a);
      expect(holes(filled)).toEqual([]);
      expect(patchArea(filled)).toBe(patchArea(a) + holes(a).reduce((sum, hole) => sum + patchArea(hole), 0));
      const some = fillHoles(a, 2);
      expect(holes(some)).toEqual(holes(a).filter((hole) => patchArea(hole) > 2));
    });
  });

  it("are cleaned of what is small, and the largest stays whatever its size", () => {
    forPatches((a) => {
      const [largest, ...others] = parts(a);
      const cleaned = removeIslands(a, 8);
      const kept = largest ? [largest, ...others.filter((part) => patchArea(part) >= 8)] : [];
      expect(samePixels(cleaned, kept.reduce(union, EMPTY_PATCH))).toBe(true);
      expect(countParts(removeIslands(a, 1e9))).toBe(largest ? 1 : 0);
    });
  });
});

describe("grow and shrink", () => {
  /** The definition, pixel by pixel. */
  const within = (set: boolean[], by: number) =>
    set.map((_, at) =>
      set.some((other, there) => {
        const dx = (at % size.width) - (there % size.width);
        const dy = Math.floor(at / size.width) - Math.floor(there / size.width);
        return other && dx * dx + dy * dy <= by * by;
      }),
    );

  it("reach exactly as far as said", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = randomFrom(seed);
      const patch = randomPatch(random, size);
      const by = 1 + random() * 5;
      const set = bits(patch, size);
      expect(bits(grow(patch, by, size), size)).toEqual(within(set, by));
      const outside = within(
        set.map((value) => !value),
        by,
      );
      expect(bits(shrink(patch, by, size), size)).toEqual(outside.map((value) => !value));
    }
  });

  it("never lose to one another: closing adds, opening takes away", () => {
    forPatches((a) => {
      expect(subtract(a, shrink(grow(a, 2, size), 2, size))).toEqual(EMPTY_PATCH);
      expect(subtract(grow(shrink(a, 2, size), 2, size), a)).toEqual(EMPTY_PATCH);
    });
  });

  it("take nothing off where the object leaves the picture", () => {
    const all = drawn(Array(size.height).fill("#".repeat(size.width)));
    expect(shrink(all, 5, size)).toEqual(all);
  });
});

describe("smoothing", () => {
  it("keeps every hole and every part, however small", () => {
    const ring = paintStroke(EMPTY_PATCH, [imagePoint(24, 18)], 12, 1, size);
    const pierced = subtract(union(ring, drawn(["#"], 2, 2)), drawn(["#"], 24, 18));
    const even = smooth(pierced, 3, size);
    expect(holes(even)).toHaveLength(1);
    expect(countParts(even)).toBe(2);
    forPatches((a) => {
      const smoothed = smooth(a, 2, size);
      for (const part of parts(a)) expect(sharedArea(part, smoothed)).toBeGreaterThan(0);
      for (const hole of holes(a)) expect(sharedArea(hole, smoothed)).toBeLessThan(patchArea(hole));
    });
  });

  it("takes off a spike and fills a notch, and leaves a straight edge alone", () => {
    const block = Array.from({ length: 20 }, () => "#".repeat(20));
    const spiked = union(drawn(block, 10, 10), drawn(["#", "#", "#"], 20, 7));
    expect(sharedArea(smooth(spiked, 2, size), drawn(["#"], 20, 7))).toBe(0);
    const notched = subtract(drawn(block, 10, 10), drawn(["#", "#"], 20, 10));
    expect(sharedArea(smooth(notched, 2, size), drawn(["#"], 20, 11))).toBe(1);
    const half = drawn(Array(size.height).fill("#".repeat(20)));
    expect(smooth(half, 3, size)).toEqual(half);
  });

  it("gives the same shape wherever it lies, however large", () => {
    const large = { width: 400, height: 300 };
    const blob = (x: number, y: number) =>
      [0, 1, 2, 3, 4, 5].reduce(
        (shape, turn) =>
          paintStroke(
            shape,
            [imagePoint(x, y), imagePoint(x + 80 * Math.cos(turn), y + 80 * Math.sin(turn))],
            9,
            1,
            large,
          ),
        paintStroke(EMPTY_PATCH, [imagePoint(x, y)], 60, 1, large),
      );
    const here = smooth(blob(120, 110), 5, large);
    const there = smooth(blob(157, 131), 5, large);
    expect({ ...there, x: there.x - 37, y: there.y - 21 }).toEqual(here);
    expect(samePixels(here, blob(120, 110))).toBe(false);
  });
});

describe("all of it", () => {
  it("survives being saved: run lengths give the same pixels back", () => {
    forPatches((a, b) => {
      for (const made of [union(a, b), fillHoles(a), grow(a, 3, size), smooth(b, 2, size)]) {
        expect(samePixels(decodePatch(encodePatch(made, [size.height, size.width])), made)).toBe(true);
      }
    });
  });
});
