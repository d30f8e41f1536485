import { type Box, clamp, type ImagePoint, imagePoint, type ScreenPoint, type Size, screenPoint } from "./geometry";

const MAX_SCALE = 40;
/** Free space round the image when it is fitted, in CSS pixels. */
const MARGIN = 24;

/**
 * Which part of the image the canvas shows: `scale` CSS pixels per image pixel and the screen position
 * (x, y) of the image's top left corner. Immutable; every operation returns a new viewport.
 */
export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export function toImage(view: Viewport, point: ScreenPoint): ImagePoint {
  return imagePoint((point.x - view.x) / view.scale, (point.y - view.y) / view.scale);
}

export function toScreen(view: Viewport, point: ImagePoint): ScreenPoint {
  return screenPoint(point.x * view.scale + view.x, point.y * view.scale + view.y);
}

/** Whole image centred, never enlarged beyond 4 : 1 so that a tiny picture does not become a wall of squares. */
export function fitImage(image: Size, canvas: Size): Viewport {
  const room = { width: Math.max(1, canvas.width - 2 * MARGIN), height: Math.max(1, canvas.height - 2 * MARGIN) };
  const scale = Math.min(room.width / image.width, room.height / image.height, 4);
  return centred(image, canvas, scale);
}

/** One image pixel per CSS pixel, centred. */
export function actualSize(image: Size, canvas: Size): Viewport {
  return centred(image, canvas, 1);
}

function centred(image: Size, canvas: Size, scale: number): Viewport {
  return { scale, x: (canvas.width - image.width * scale) / 2, y: (canvas.height - image.height * scale) / 2 };
}

/** Zooms by `factor` so that the image point under `at` stays where it is. */
export function zoomAt(view: Viewport, at: ScreenPoint, factor: number, image: Size, canvas: Size): Viewport {
  const smallest = Math.min(fitImage(image, canvas).scale / 2, 1);
  const scale = clamp(view.scale * factor, smallest, MAX_SCALE);
  const ratio = scale / view.scale;
  return keepInSight({ scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, image, canvas);
}

export function panBy(view: Viewport, dx: number, dy: number, image: Size, canvas: Size): Viewport {
  return keepInSight({ ...view, x: view.x + dx, y: view.y + dy }, image, canvas);
}

/** After the canvas changed its size: the same image point stays in the middle. */
export function resized(view: Viewport, before: Size, after: Size): Viewport {
  return { ...view, x: view.x + (after.width - before.width) / 2, y: view.y + (after.height - before.height) / 2 };
}

/** Shows `box` with some surroundings. */
export function zoomToBox(box: Box, canvas: Size): Viewport {
  const width = Math.max(1, box.x1 - box.x0);
  const height = Math.max(1, box.y1 - box.y0);
  const scale = clamp(Math.min(canvas.width / width, canvas.height / height) * 0.6, 0.05, 8);
  return {
    scale,
    x: canvas.width / 2 - ((box.x0 + box.x1) / 2) * scale,
    y: canvas.height / 2 - ((box.y0 + box.y1) / 2) * scale,
  };
}

/** At least a corner of the image (64 CSS pixels of it) stays on the canvas: nobody gets lost. */
function keepInSight(view: Viewport, image: Size, canvas: Size): Viewport {
  const keep = 64;
  return {
    scale: view.scale,
    x: clamp(view.x, keep - image.width * view.scale, canvas.width - keep),
    y: clamp(view.y, keep - image.height * view.scale, canvas.height - keep),
  };
}
