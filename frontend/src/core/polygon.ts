import { boxHeight, boxWidth, type ImagePoint, pixelBox, type Size } from "./geometry";
import { EMPTY_PATCH, type Patch, trimPatch } from "./patch";

/**
 * The pixels inside a closed outline of image points: those whose centre it winds round, in either direction
 * (non-zero rule), so that a hand-drawn line may cross itself. Cut to the image; fewer than three points hold nothing.
 */
export function fillPolygon(points: readonly ImagePoint[], size: Size): Patch {
  if (points.length < 3) return EMPTY_PATCH;
  const box = pixelBox(points, 0, size);
  if (!box) return EMPTY_PATCH;
  const { x0, y0 } = box;
  const [width, height] = [boxWidth(box), boxHeight(box)];
  const data = new Uint8Array(width * height);
  const crossings = crossingsByRow(points, y0, height);
  for (let row = 0; row < height; row++) {
    let winding = 0;
    let from = 0;
    for (const { x, turn } of (crossings[row] ?? []).toSorted((a, b) => a.x - b.x)) {
      if (winding === 0) from = x;
      winding += turn;
      if (winding !== 0) continue;
      // The pixel at column c has its centre at c + 0.5.
      const first = Math.max(0, Math.ceil(from - 0.5) - x0);
      const end = Math.min(width, Math.ceil(x - 0.5) - x0);
      if (end > first) data.fill(1, row * width + first, row * width + end);
    }
  }
  return trimPatch({ x: x0, y: y0, width, height, data });
}

interface Crossing {
  readonly x: number;
  readonly turn: 1 | -1;
}

/** Where the outline crosses the middle of each row, and whether downwards (1) or upwards (-1). */
function crossingsByRow(points: readonly ImagePoint[], y0: number, height: number): Crossing[][] {
  const rows: Crossing[][] = Array.from({ length: height }, () => []);
  points.forEach((a, index) => {
    const b = points[(index + 1) % points.length] ?? a;
    if (a.y === b.y) return;
    const turn = b.y > a.y ? 1 : -1;
    const [high, low] = turn === 1 ? [a, b] : [b, a];
    const first = Math.max(0, Math.ceil(high.y - 0.5) - y0);
    const end = Math.min(height, Math.ceil(low.y - 0.5) - y0);
    for (let row = first; row < end; row++) {
      const x = high.x + ((row + y0 + 0.5 - high.y) * (low.x - high.x)) / (low.y - high.y);
      rows[row]?.push({ x, turn });
    }
  });
  return rows;
}
