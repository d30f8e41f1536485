import type { Size } from "../core/geometry";
import type { Viewport } from "../core/viewport";
import { drawImage, pyramidOf } from "./imagePyramid";
import { TileLayer } from "./tileLayer";

/** What is annotated: decoded whole, or in tiles where it is too large for that or shown in its own values. */
export type Picture = HTMLImageElement | TileLayer<unknown>;

/** Draws the part of the picture that the canvas shows. `context` is in device pixels, `ratio` per CSS pixel. */
export function drawPicture(
  context: CanvasRenderingContext2D,
  picture: Picture,
  size: Size,
  view: Viewport,
  ratio: number,
): void {
  if (picture instanceof TileLayer) picture.draw(context, view, ratio);
  else drawImage(context, picture, size, view, ratio);
}

/** Calls back when the picture can be drawn better than before. Returns what takes the listener off. */
export function onBetter(picture: Picture, listener: () => void): () => void {
  return (picture instanceof TileLayer ? picture : pyramidOf(picture)).onBetter(listener);
}
