import { describe, expect, it } from "vitest";
import { boxFromCorners, imagePoint } from "./geometry";
import { maskPromptLogits } from "./maskPrompt";
import { EMPTY_PATCH, paintStroke, patchArea, patchHas } from "./patch";
import { sharedArea } from "./pixels";
import { fillPolygon } from "./polygon";
import { holes } from "./regions";
import { spreadPoints, strokeLength } from "./strokes";
import { randomFrom } from "./testingPatches";
import { Upscaler } from "./upscale";

const size = { width: 60, height: 40 };
const at = imagePoint;

describe("a closed outline", () => {
  it("holds the pixels whose centre is inside", () => {
    const square = fillPolygon([at(10, 10), at(20, 10), at(20, 15), at(10, 15)], size);
    expect([square.x, square.y, square.width, square.height, patchArea(square)]).toEqual([10, 10, 10, 5, 50]);
    const turned = fillPolygon([at(10, 15), at(20, 15), at(20, 10), at(10, 10)], size);
    expect(turned).toEqual(square);
  });

  it("agrees with the crossing-number test on any triangle", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = randomFrom(seed);
      const corner = () => at(random() * 80 - 10, random() * 60 - 10);
      const [a, b, c] = [corner(), corner(), corner()];
      const filled = fillPolygon([a, b, c], size);
      const side = (p: typeof a, q: typeof a, x: number, y: number) =>
        (q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x);
      for (let y = 0; y < size.height; y += 3) {
        for (let x = 0; x < size.width; x += 3) {
          const turns = [side(a, b, x + 0.5, y + 0.5), side(b, c, x + 0.5, y + 0.5), side(c, a, x + 0.5, y + 0.5)];
          const inside = turns.every((turn) => turn > 0) || turns.every((turn) => turn < 0);
          expect(patchHas(filled, at(x + 0.5, y + 0.5)), `seed ${seed} at ${x},${y}`).toBe(inside);
        }
      }
    }
  });

  it("may cross itself without making holes", () => {
    const twice = [
      at(10, 5),
      at(40, 5),
      at(40, 35),
      at(10, 35),
      at(10, 5),
      at(20, 10),
      at(30, 10),
      at(30, 30),
      at(20, 30),
      at(20, 10),
    ];
    expect(holes(fillPolygon(twice, size))).toEqual([]);
  });

  it("is nothing with two points, or beside the image", () => {
    expect(fillPolygon([at(1, 1), at(9, 9)], size)).toBe(EMPTY_PATCH);
    expect(fillPolygon([at(-9, -9), at(-1, -9), at(-1, -1)], size)).toBe(EMPTY_PATCH);
  });
});

describe("a scribble", () => {
  it("becomes a few points, evenly spread along it", () => {
    const line = [at(0, 10), at(10, 10), at(50, 10)];
    expect(strokeLength(line)).toBe(50);
    expect(spreadPoints(line, 10, 4).map((point) => point.x)).toEqual([6.25, 18.75, 31.25, 43.75]);
    expect(spreadPoints(line, 25, 4).map((point) => point.x)).toEqual([12.5, 37.5]);
    expect(spreadPoints([at(7, 8)], 10, 4)).toEqual([at(7, 8)]);
    expect(spreadPoints([], 10, 4)).toEqual([]);
  });
});

describe("a rough mask as prompt", () => {
  it("is the same mask again when enlarged as the decoder's own logits are", () => {
    const frame = { originalSize: [300, 400], inputSize: [192, 256], paddedSize: [256, 256] } as const;
    const picture = { width: 400, height: 300 };
    const ring = paintStroke(paintStroke(EMPTY_PATCH, [at(200, 150)], 90, 1, picture), [at(200, 150)], 40, 0, picture);
    const logits = maskPromptLogits(ring, frame, 64, 64);
    expect([Math.min(...logits), Math.max(...logits)]).toEqual([-12, 12]);
    const { patch } = new Upscaler(frame, 64, 64).mask(logits);
    const shared = sharedArea(ring, patch);
    expect(shared / (patchArea(ring) + patchArea(patch) - shared)).toBeGreaterThan(0.93);
    expect(patchHas(patch, at(200, 150))).toBe(false);
  });
});

describe("boxes", () => {
  it("come from corners in any order", () => {
    expect(boxFromCorners(at(30, 5), at(-4, 90), size)).toEqual({ x0: 0, y0: 5, x1: 30, y1: 40 });
  });
});
