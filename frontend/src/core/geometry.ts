/**
 * Two frames meet in the editor and must never be mixed, so their points are branded:
 * a ScreenPoint is in CSS pixels from the canvas's top left corner, an ImagePoint in pixels of the
 * displayed image (x right, y down; (0, 0) is the outer corner of the first pixel).
 */
declare const frame: unique symbol;

export interface ScreenPoint {
  readonly x: number;
  readonly y: number;
  readonly [frame]: "screen";
}

export interface ImagePoint {
  readonly x: number;
  readonly y: number;
  readonly [frame]: "image";
}

/** Axis-parallel box in image pixels; x1 and y1 are exclusive edges, x0 <= x1 and y0 <= y1. */
export interface Box {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const screenPoint = (x: number, y: number): ScreenPoint => ({ x, y }) as ScreenPoint;
export const imagePoint = (x: number, y: number): ImagePoint => ({ x, y }) as ImagePoint;

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** Distance in CSS pixels. */
export const screenDistance = (a: ScreenPoint, b: ScreenPoint): number => Math.hypot(a.x - b.x, a.y - b.y);

export function isInside(point: ImagePoint, size: Size): boolean {
  return point.x >= 0 && point.y >= 0 && point.x < size.width && point.y < size.height;
}

/** The nearest point that still lies on the image. */
export function clampToImage(point: ImagePoint, size: Size): ImagePoint {
  return imagePoint(clamp(point.x, 0, size.width - 0.001), clamp(point.y, 0, size.height - 0.001));
}

/** Box spanned by two corners in any order, cut to the image. */
export function boxFromCorners(a: ImagePoint, b: ImagePoint, size: Size): Box {
  return {
    x0: clamp(Math.min(a.x, b.x), 0, size.width),
    y0: clamp(Math.min(a.y, b.y), 0, size.height),
    x1: clamp(Math.max(a.x, b.x), 0, size.width),
    y1: clamp(Math.max(a.y, b.y), 0, size.height),
  };
}

export const boxWidth = (box: Box): number => box.x1 - box.x0;
export const boxHeight = (box: Box): number => box.y1 - box.y0;

/** What two boxes share; null when they are apart. */
export function boxOverlap(a: Box, b: Box): Box | null {
  const box = {
    x0: Math.max(a.x0, b.x0),
    y0: Math.max(a.y0, b.y0),
    x1: Math.min(a.x1, b.x1),
    y1: Math.min(a.y1, b.y1),
  };
  return box.x1 > box.x0 && box.y1 > box.y0 ? box : null;
}

/** Smallest box of whole pixels around points and everything within `margin` of them, cut to the image; null: none. */
export function pixelBox(points: readonly { x: number; y: number }[], margin: number, size: Size): Box | null {
  let [left, right, top, bottom] = [size.width, 0, size.height, 0];
  for (const { x, y } of points) {
    left = Math.min(left, x - margin);
    right = Math.max(right, x + margin);
    top = Math.min(top, y - margin);
    bottom = Math.max(bottom, y + margin);
  }
  const around = { x0: Math.floor(left), y0: Math.floor(top), x1: Math.ceil(right), y1: Math.ceil(bottom) };
  return boxOverlap(around, { x0: 0, y0: 0, x1: size.width, y1: size.height });
}

/** Smallest box around both. */
export function boxUnion(a: Box, b: Box): Box {
  return { x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1) };
}
