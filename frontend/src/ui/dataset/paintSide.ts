import type { Size } from "../../core/geometry";
import type { Rgb } from "../../core/palette";
import type { Patch } from "../../core/patch";
import { levelFor, patchAtLevel } from "../../core/pyramid";
import { patchBitmap } from "../../render/patchBitmap";
import { drawPicture } from "../../render/picture";
import type { Prompt } from "./SideBySide";

const COLOUR: Rgb = [86, 180, 233];
const LABEL_COLOURS = ["#d55e00", "#009e73"]; // not part of the object, part of it
const DOT = 5;

/** The whole picture on a canvas of its proportions, with a mask and the prompts that gave it. */
export function paintSide(
  canvas: HTMLCanvasElement,
  picture: HTMLImageElement | null,
  size: Size,
  patch: Patch | null,
  prompt: Prompt,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = canvas.width / size.width;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture) drawPicture(context, picture, size, { scale, x: 0, y: 0 }, 1);
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (patch) {
    const level = levelFor(scale);
    const unit = scale * 2 ** level;
    const coarse = patchAtLevel(patch, level);
    const bitmap = patchBitmap(coarse, { colour: COLOUR, fill: 0.55, rim: 1 });
    if (bitmap) {
      context.drawImage(bitmap, coarse.x * unit, coarse.y * unit, coarse.width * unit, coarse.height * unit);
    }
  }
  context.lineWidth = 2;
  if (prompt.box) {
    const [x0, y0, x1, y1] = prompt.box;
    context.strokeStyle = LABEL_COLOURS[1] ?? "";
    context.strokeRect(x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
  }
  prompt.points.forEach(([x, y], at) => {
    context.beginPath();
    context.arc(x * scale, y * scale, DOT, 0, 2 * Math.PI);
    context.fillStyle = LABEL_COLOURS[prompt.labels[at] ?? 1] ?? "";
    context.fill();
    context.strokeStyle = "#fff";
    context.stroke();
  });
}
