import { type Box, boxHeight, boxWidth, type Size } from "../core/geometry";
import type { Rgb } from "../core/palette";
import { EMPTY_PATCH, type Patch, patchBox } from "../core/patch";
import { levelFor, patchAtLevel } from "../core/pyramid";
import { patchBitmap } from "./patchBitmap";
import { drawPicture, type Picture } from "./picture";

/**
 * Draws the image with patches on it, each in its colour, the later over the earlier: the part in `around` (usually the
 * patch's box) fits the canvas with a margin.
 */
export function paintThumbnail(
  canvas: HTMLCanvasElement,
  image: Picture | null,
  patches: readonly (readonly [Patch, Rgb])[],
  imageSize: Size,
  around: Box = patchBox(patches[0]?.[0] ?? EMPTY_PATCH),
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height } = canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const [boxWide, boxHigh] = [boxWidth(around), boxHeight(around)];
  if (boxWide <= 0 || boxHigh <= 0) return;
  const scale = Math.min(width / (boxWide * 1.3), height / (boxHigh * 1.3), 6);
  const x = width / 2 - (around.x0 + boxWide / 2) * scale;
  const y = height / 2 - (around.y0 + boxHigh / 2) * scale;
  if (image) {
    context.globalAlpha = 0.75;
    drawPicture(context, image, imageSize, { scale, x, y }, 1);
    context.globalAlpha = 1;
  }
  const level = levelFor(scale);
  const unit = scale * 2 ** level;
  for (const [patch, colour] of patches) {
    const coarse = patchAtLevel(patch, level);
    const bitmap = patchBitmap(coarse, { colour, fill: 0.6, rim: 1 });
    if (!bitmap) continue;
    context.drawImage(bitmap, x + coarse.x * unit, y + coarse.y * unit, coarse.width * unit, coarse.height * unit);
  }
}
