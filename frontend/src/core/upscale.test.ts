import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encodePatch } from "./rle";
import { Upscaler } from "./upscale";

interface GoldenCase {
  name: string;
  original_size: [number, number];
  input_size: [number, number];
  padded_size: [number, number];
  low_size: [number, number];
  logits: number[];
  counts: string;
  area: number;
  stability: number;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../tests/golden/upscale_cases.json", import.meta.url), "utf8"),
) as { cases: GoldenCase[] };

function upscaler(one: GoldenCase): Upscaler {
  const frame = { originalSize: one.original_size, inputSize: one.input_size, paddedSize: one.padded_size };
  return new Upscaler(frame, ...one.low_size);
}

describe.each(golden.cases)("masks from logits: $name", (one) => {
  it("equal the server's pixel for pixel", () => {
    const { patch, area, stability } = upscaler(one).mask(Float32Array.from(one.logits));
    expect(area).toBe(one.area);
    expect(encodePatch(patch, one.original_size).counts).toBe(one.counts);
    expect(stability).toBeCloseTo(one.stability, 6);
  });

  it("are empty where nothing speaks for the object", () => {
    const { patch, area, stability } = upscaler(one).mask(new Float32Array(one.logits.length).fill(-8));
    expect([patch.width, area, stability]).toEqual([0, 0, 0]);
  });

  it("fill the whole image where everything does", () => {
    const { patch, area } = upscaler(one).mask(new Float32Array(one.logits.length).fill(8));
    const [height, width] = one.original_size;
    expect([patch.x, patch.y, patch.width, patch.height, area]).toEqual([0, 0, width, height, height * width]);
  });
});
