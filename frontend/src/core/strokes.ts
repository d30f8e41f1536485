import { type ImagePoint, imagePoint } from "./geometry";

/** Length of a line of image points, in image pixels. */
export function strokeLength(points: readonly ImagePoint[]): number {
  let length = 0;
  points.forEach((point, index) => {
    const before = points[index - 1] ?? point;
    length += Math.hypot(point.x - before.x, point.y - before.y);
  });
  return length;
}

/**
 * A few points that stand for a scribble: evenly spread along it, one for each `spacing` image pixels but `most` at the
 * utmost, each in the middle of its stretch, since the ends of a scribble are where hands slip off the object.
 */
export function spreadPoints(points: readonly ImagePoint[], spacing: number, most: number): ImagePoint[] {
  const first = points[0];
  if (!first) return [];
  const length = strokeLength(points);
  const count = Math.max(1, Math.min(most, Math.round(length / spacing)));
  return Array.from({ length: count }, (_, index) => pointAt(points, ((index + 0.5) / count) * length));
}

/** The point `distance` image pixels along the line. */
function pointAt(points: readonly ImagePoint[], distance: number): ImagePoint {
  let rest = distance;
  for (let index = 1; index < points.length; index++) {
    const [a, b] = [points[index - 1] as ImagePoint, points[index] as ImagePoint];
    const step = Math.hypot(b.x - a.x, b.y - a.y);
    if (step > 0 && rest <= step)
      return imagePoint(a.x + ((b.x - a.x) * rest) / step, a.y + ((b.y - a.y) * rest) / step);
    rest -= step;
  }
  return points.at(-1) as ImagePoint;
}
