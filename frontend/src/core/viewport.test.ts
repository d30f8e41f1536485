import { describe, expect, it } from "vitest";
import { imagePoint, screenPoint } from "./geometry";
import { fitImage, panBy, resized, toImage, toScreen, zoomAt, zoomToBox } from "./viewport";

const image = { width: 800, height: 600 };
const canvas = { width: 1000, height: 700 };
const fitted = fitImage(image, canvas);

describe("viewport", () => {
  it("turns screen points into image points and back", () => {
    const point = imagePoint(123.25, 45.5);
    const back = toImage(fitted, toScreen(fitted, point));
    expect(back.x).toBeCloseTo(point.x, 9);
    expect(back.y).toBeCloseTo(point.y, 9);
  });

  it("fits the whole image, centred", () => {
    const corner = toScreen(fitted, imagePoint(0, 0));
    const other = toScreen(fitted, imagePoint(800, 600));
    expect(corner.x).toBeGreaterThan(0);
    expect(corner.y).toBeCloseTo(canvas.height - other.y, 9);
    expect(corner.x).toBeCloseTo(canvas.width - other.x, 9);
  });

  it("does not blow a tiny picture up to a wall", () => {
    expect(fitImage({ width: 16, height: 16 }, canvas).scale).toBe(4);
  });

  it("keeps the point under the pointer while zooming, to both ends", () => {
    const at = screenPoint(321, 234);
    let view = fitted;
    const before = toImage(view, at);
    for (let step = 0; step < 8; step++) view = zoomAt(view, at, 1.4, image, canvas);
    expect(toImage(view, at).x).toBeCloseTo(before.x, 6);
    expect(toImage(view, at).y).toBeCloseTo(before.y, 6);
    expect(zoomAt(view, at, 1e9, image, canvas).scale).toBe(40);
    expect(zoomAt(view, at, 1e-9, image, canvas).scale).toBeCloseTo(fitted.scale / 2, 9);
  });

  it("never loses the image", () => {
    const away = panBy(fitted, 1e6, -1e6, image, canvas);
    expect(toScreen(away, imagePoint(0, 0)).x).toBeLessThan(canvas.width);
    expect(toScreen(away, imagePoint(800, 600)).y).toBeGreaterThan(0);
  });

  it("keeps the middle when the window changes", () => {
    const wider = { width: 1200, height: 500 };
    const middle = toImage(fitted, screenPoint(500, 350));
    const after = toImage(resized(fitted, canvas, wider), screenPoint(600, 250));
    expect(after.x).toBeCloseTo(middle.x, 9);
    expect(after.y).toBeCloseTo(middle.y, 9);
  });

  it("shows a box with surroundings", () => {
    const view = zoomToBox({ x0: 100, y0: 100, x1: 140, y1: 120 }, canvas);
    const middle = toImage(view, screenPoint(500, 350));
    expect([middle.x, middle.y]).toEqual([120, 110]);
  });
});
