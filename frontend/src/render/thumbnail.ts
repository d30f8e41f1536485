import type { Rgb } from "../core/palette";
import type { Patch } from "../core/patch";
import { patchBitmap } from "./patchBitmap";

/** Draws the image round a patch with the patch on it, fitted into the canvas with a little margin. */
export function paintThumbnail(
  canvas: HTMLCanvasElement,
  image: CanvasImageSource | null,
  patch: Patch,
  colour: Rgb,
  imageSize: { width: number; height: number },
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height } = canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  if (patch.width === 0) return;
  const scale = Math.min(width / (patch.width * 1.3), height / (patch.height * 1.3), 6);
  const x = width / 2 - (patch.x + patch.width / 2) * scale;
  const y = height / 2 - (patch.y + patch.height / 2) * scale;
  context.setTransform(scale, 0, 0, scale, x, y);
  if (image) {
    context.globalAlpha = 0.75;
    context.drawImage(image, 0, 0, imageSize.width, imageSize.height);
    context.globalAlpha = 1;
  }
  const bitmap = patchBitmap(patch, { colour, fill: 0.6, rim: 1 });
  if (bitmap) context.drawImage(bitmap, patch.x, patch.y);
}
