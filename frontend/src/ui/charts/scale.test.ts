import { describe, expect, it } from "vitest";
import { everySo, scaleFromZero } from "./scale";

describe("scale", () => {
  it("ends above the highest value, on round ticks", () => {
    const scale = scaleFromZero(34, 100);
    expect(scale.ticks).toEqual([0, 10, 20, 30, 40]);
    expect([scale.at(0), scale.at(40)]).toEqual([100, 0]);
  });

  it("holds shares and nothing at all", () => {
    expect(scaleFromZero(1, 100).ticks).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(scaleFromZero(0, 100).at(0)).toBe(100);
  });

  it("thins out labels", () => {
    expect([everySo(5, 8), everySo(80, 8)]).toEqual([1, 10]);
  });
});
