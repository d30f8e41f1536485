import { type Box, boxHeight, boxWidth, type Size } from "../../core/geometry";
import type { Rgb } from "../../core/palette";
import { type Patch, patchBox } from "../../core/patch";
import { levelFor, patchAtLevel } from "../../core/pyramid";
import { patchBitmap } from "../../render/patchBitmap";
import type { Prompt } from "./SideBySide";

const COLOUR: Rgb = [86, 180, 233];
const LABEL_COLOURS = ["#d55e00", "#009e73"]; // not part of the object, part of it
const DOT = 5;
const MARGIN = 1.3; // of a crop, times the mask's box
const MOST_ZOOM = 6;

/** Where the picture lies on a canvas: canvas pixels per image pixel, and the place of its upper left corner. */
interface View {
  scale: number;
  x: number;
  y: number;
}

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
  const view = { scale: canvas.width / size.width, x: 0, y: 0 };
  paint(context, canvas, picture, size, patch, view);
  context.lineWidth = 2;
  if (prompt.box) {
    const [x0, y0, x1, y1] = prompt.box.map((value) => value * view.scale) as [number, number, number, number];
    context.strokeStyle = LABEL_COLOURS[1] ?? "";
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  prompt.points.forEach(([x, y], at) => {
    context.beginPath();
    context.arc(x * view.scale, y * view.scale, DOT, 0, 2 * Math.PI);
    context.fillStyle = LABEL_COLOURS[prompt.labels[at] ?? 1] ?? "";
    context.fill();
    context.strokeStyle = "#fff";
    context.stroke();
  });
}

/** The part of a picture round a mask. `picture` may be smaller than `size`, the frame of the mask: it is stretched. */
export function paintCrop(canvas: HTMLCanvasElement, picture: HTMLImageElement, size: Size, patch: Patch): void {
  const context = canvas.getContext("2d");
  const box: Box = patchBox(patch);
  if (!context || boxWidth(box) <= 0 || boxHeight(box) <= 0) return;
  const fitting = Math.min(canvas.width / boxWidth(box), canvas.height / boxHeight(box)) / MARGIN;
  const scale = Math.min(fitting, MOST_ZOOM);
  const x = canvas.width / 2 - ((box.x0 + box.x1) / 2) * scale;
  const y = canvas.height / 2 - ((box.y0 + box.y1) / 2) * scale;
  paint(context, canvas, picture, size, patch, { scale, x, y });
}

function paint(
  context: CanvasRenderingContext2D,
  canvas: HTMLCanvasElement,
  picture: HTMLImageElement | null,
  size: Size,
  patch: Patch | null,
  { scale, x, y }: View,
): void {
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, x, y, size.width * scale, size.height * scale);
  if (!patch) return;
  const level = levelFor(scale);
  const unit = scale * 2 ** level;
  const coarse = patchAtLevel(patch, level);
  const bitmap = patchBitmap(coarse, { colour: COLOUR, fill: 0.45, rim: 1 });
  if (!bitmap) return;
  context.drawImage(bitmap, x + coarse.x * unit, y + coarse.y * unit, coarse.width * unit, coarse.height * unit);
}
