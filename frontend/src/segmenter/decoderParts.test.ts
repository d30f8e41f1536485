import { describe, expect, it } from "vitest";
import { windows } from "./decoderParts";

function frame(inputHeight: number, inputWidth: number) {
  const inputSize = [inputHeight, inputWidth] as const;
  return { originalSize: inputSize, inputSize, paddedSize: [1024, 1024] as const };
}

describe("the windows that a decoder draws", () => {
  it.each([
    ["a landscape", frame(683, 1024), [0, 43, 0, 64], [[43, 64, 0, 64]]],
    ["a portrait", frame(1024, 683), [0, 64, 0, 43], [[0, 64, 43, 64]]],
    ["a square", frame(1024, 1024), [0, 64, 0, 64], []],
    ["a strip of one pixel", frame(1, 1024), [0, 1, 0, 64], [[1, 64, 0, 64]]],
    // Enlarging the last row of the picture looks one row of logits further, which is in the next position then.
    ["one that ends with a position", frame(512, 1024), [0, 33, 0, 64], [[33, 64, 0, 64]]],
    ["one that ends a pixel before", frame(511, 1024), [0, 33, 0, 64], [[33, 64, 0, 64]]],
    ["one that ends two pixels before", frame(510, 1024), [0, 32, 0, 64], [[32, 64, 0, 64]]],
  ])("begin with the picture and cover the frame: %s", (_, shape, picture, padding) => {
    expect(windows(shape, 64, 64)).toEqual([picture, ...padding]);
  });

  it("cover every position once where a frame is padded on both sides", () => {
    const shape = { ...frame(500, 700), paddedSize: [1024, 1024] as const };
    const seen = new Uint8Array(64 * 64);
    for (const [y0, y1, x0, x1] of windows(shape, 64, 64)) {
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) seen[y * 64 + x] = (seen[y * 64 + x] ?? 0) + 1;
    }
    expect(seen.every((times) => times === 1)).toBe(true);
  });
});
