import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Patch, patchArea, trimPatch } from "./patch";
import { samePixels } from "./pixels";
import { decodeCounts, decodePatch, encodeCounts, encodePatch, packPatch, RleError, unpackPatch } from "./rle";
import { randomFrom, randomPatch } from "./testingPatches";

interface GoldenCase {
  name: string;
  size: [number, number];
  counts: string;
  area: number;
  bbox: [number, number, number, number];
  rows: string[];
}

const golden = JSON.parse(readFileSync(new URL("../../../tests/golden/rle_cases.json", import.meta.url), "utf8")) as {
  cases: GoldenCase[];
};

function fullPatch({ size: [height, width], rows }: GoldenCase): Patch {
  const data = Uint8Array.from(rows.join(""), Number);
  return { x: 0, y: 0, width, height, data };
}

describe.each(golden.cases)("COCO run lengths: $name", (one) => {
  it("are written as pycocotools writes them", () => {
    expect(encodePatch(fullPatch(one), one.size).counts).toBe(one.counts);
  });

  it("are the same from the smallest patch", () => {
    expect(encodePatch(trimPatch(fullPatch(one)), one.size).counts).toBe(one.counts);
  });

  it("decode to the same pixels, area and box", () => {
    const patch = decodePatch(one);
    expect(patch).toEqual(trimPatch(fullPatch(one)));
    expect(patchArea(patch)).toBe(one.area);
    if (one.area > 0) expect([patch.x, patch.y, patch.width, patch.height]).toEqual(one.bbox);
  });
});

describe("run lengths", () => {
  it("survive with large numbers, as 12 megapixels need them", () => {
    const runs = [0, 11_999_990, 3, 1, 6, 12_000_000, 1];
    expect(decodeCounts(encodeCounts(runs))).toEqual(runs);
  });

  it("are refused when damaged", () => {
    expect(() => decodeCounts("o")).toThrow(RleError);
    expect(() => decodeCounts("\u0000")).toThrow(RleError);
  });

  it("are refused when they do not fill the image", () => {
    expect(() => decodePatch({ size: [5, 5], counts: encodeCounts([5, 5]) })).toThrow("does not fit");
    expect(() => decodePatch({ size: [5, 5], counts: encodeCounts([20, 20]) })).toThrow("does not fit");
  });
});

describe("packed patches", () => {
  it("are the same pixels again", () => {
    const size = { width: 40, height: 30 };
    for (let seed = 1; seed <= 100; seed++) {
      const patch = randomPatch(randomFrom(seed), size);
      expect(samePixels(unpackPatch(packPatch(patch)), patch)).toBe(true);
    }
  });
});
