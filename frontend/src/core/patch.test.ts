import { describe, expect, it } from "vitest";
import { imagePoint } from "./geometry";
import { cropPatch, EMPTY_PATCH, paintStroke, patchArea, patchHas } from "./patch";

const size = { width: 100, height: 80 };
const dot = paintStroke(EMPTY_PATCH, [imagePoint(50, 40)], 10, 1, size);

describe("brush and eraser", () => {
  it("paint a disc of the right size", () => {
    expect(Math.abs(patchArea(dot) - Math.PI * 100)).toBeLessThan(8);
    expect([dot.x, dot.y, dot.width, dot.height]).toEqual([40, 30, 20, 20]);
  });

  it("join the points of a stroke without gaps", () => {
    const line = paintStroke(EMPTY_PATCH, [imagePoint(10, 40), imagePoint(90, 40)], 2, 1, size);
    expect(line.width).toBe(84);
    for (let x = 10; x <= 89; x++) expect(patchHas(line, imagePoint(x, 40))).toBe(true);
  });

  it("leave a hole that stays a hole", () => {
    const ring = paintStroke(dot, [imagePoint(50, 40)], 4, 0, size);
    expect(patchHas(ring, imagePoint(50, 40))).toBe(false);
    expect(patchHas(ring, imagePoint(43, 40))).toBe(true);
  });

  it("shrink the box to what is left, down to nothing", () => {
    const half = paintStroke(dot, [imagePoint(70, 0), imagePoint(70, 80)], 20, 0, size);
    expect(half.x + half.width).toBeLessThanOrEqual(50);
    expect(paintStroke(dot, [imagePoint(50, 40)], 30, 0, size)).toBe(EMPTY_PATCH);
  });

  it("stop at the edge of the image", () => {
    const corner = paintStroke(EMPTY_PATCH, [imagePoint(0, 0)], 12, 1, size);
    expect([corner.x, corner.y]).toEqual([0, 0]);
    expect(paintStroke(EMPTY_PATCH, [imagePoint(-50, -50)], 12, 1, size)).toBe(EMPTY_PATCH);
  });

  it("are as thin as a pen presses lightly, between one point and the next too", () => {
    const press = (pressure: number) => paintStroke(EMPTY_PATCH, [{ x: 50, y: 40, pressure }], 20, 1, size).width;
    expect([press(0), press(0.5), press(1)]).toEqual([10, 24, 40]);
    const wedge = [
      { x: 20, y: 40, pressure: 0 },
      { x: 80, y: 40, pressure: 1 },
    ];
    const line = paintStroke(EMPTY_PATCH, wedge, 20, 1, size);
    const height = (x: number) =>
      Array.from({ length: 80 }, (_, y) => patchHas(line, imagePoint(x, y))).filter(Boolean);
    expect(height(20).length).toBeLessThan(height(50).length);
    expect(height(50).length).toBeLessThan(height(79).length);
  });

  it("do not change the patch they were given", () => {
    const before = dot.data.slice();
    paintStroke(dot, [imagePoint(50, 40)], 5, 0, size);
    expect(dot.data).toEqual(before);
  });
});

describe("cropPatch", () => {
  it("fills with zeros outside and cuts inside", () => {
    const cut = cropPatch(dot, { x0: 45, y0: 20, x1: 80, y1: 45 });
    expect([cut.width, cut.height]).toEqual([35, 25]);
    expect(patchHas(cut, imagePoint(50, 40))).toBe(true);
    expect(patchHas(cut, imagePoint(79, 21))).toBe(false);
  });
});
