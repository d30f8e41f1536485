import { describe, expect, it } from "vitest";
import { halvesToFloats } from "./float16";
import { offered } from "./segmenter";

describe("float16", () => {
  it("becomes the same numbers", () => {
    const halves = Uint16Array.of(0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x0001, 0x7c00, 0xfc00);
    const [zero, minusZero, one, minusTwo, third, largest, smallest, up, down] = halvesToFloats(halves);
    expect([zero, one, minusTwo, largest]).toEqual([0, 1, -2, 65504]);
    expect(Object.is(minusZero, -0)).toBe(true);
    expect(third).toBeCloseTo(1 / 3, 3);
    expect(smallest).toBeCloseTo(2 ** -24, 12);
    expect([up, down]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  });
});

describe("what is offered", () => {
  const all = [0, 1, 2, 3].map((token) => ({ token, area: [50, 90, 10, 40][token] ?? 0 }));

  it("is the readings of one point, from small to large", () => {
    expect(offered(all, true).map((one) => one.token)).toEqual([2, 3, 1]);
  });

  it("is the single mask first for several prompts", () => {
    expect(offered(all, false).map((one) => one.token)).toEqual([0, 2, 3, 1]);
  });
});
