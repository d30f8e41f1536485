import { type Box, imagePoint, type ScreenPoint } from "../core/geometry";
import type { OverlayShape } from "../core/overlay";
import { css, DRAFT_COLOUR, MISSING_COLOUR, SURPLUS_COLOUR } from "../core/palette";
import { type Patch, patchBox, pressedRadius, type StrokePoint } from "../core/patch";
import { levelFor, patchAtLevel } from "../core/pyramid";
import { toScreen, type Viewport } from "../core/viewport";
import { PatchBitmaps, type PatchStyle } from "./patchBitmap";
import type { Scene } from "./scene";

const ADD = "#12a150";
const REMOVE = "#d4351c";
const GRID = "rgb(255 255 255 / 0.28)";

/** Draws what follows the pointer: mask in the making, prompts, outlines, and what helps to measure. */
export class OverlayDrawing {
  private readonly bitmaps = new PatchBitmaps();

  /** `context` is in CSS pixels. */
  draw(context: CanvasRenderingContext2D, scene: Scene): void {
    const { view, draft } = scene;
    if (scene.grid > 0) drawGrid(context, scene);
    if (draft) {
      const style = draft.preview
        ? { colour: DRAFT_COLOUR, fill: 0.28, rim: 0.8 }
        : { colour: DRAFT_COLOUR, fill: 0.5, rim: 1 };
      this.drawPatch(context, view, draft.patch, style);
    }
    for (const { missing, surplus } of scene.wrong) {
      this.drawPatch(context, view, surplus, { colour: SURPLUS_COLOUR, fill: 0.62, rim: 1 });
      this.drawPatch(context, view, missing, { colour: MISSING_COLOUR, fill: 0.62, rim: 1 });
    }
    for (const mask of scene.masks) {
      if (mask.selected) drawBox(context, view, patchBox(mask.patch), css(mask.colour), [4, 4]);
    }
    if (scene.stroke) drawStroke(context, view, scene.stroke);
    if (scene.box) drawBox(context, view, scene.box, css(DRAFT_COLOUR), []);
    for (const point of scene.points) {
      drawPoint(context, toScreen(view, imagePoint(point.x, point.y)), point.label);
    }
    for (const pin of scene.pins) drawPin(context, toScreen(view, imagePoint(pin.x, pin.y)), pin.text);
    for (const shape of scene.shapes) drawShape(context, view, shape);
    if (scene.ruler) drawRuler(context, view, scene.ruler);
  }

  private drawPatch(context: CanvasRenderingContext2D, view: Viewport, patch: Patch, style: PatchStyle): void {
    const level = levelFor(view.scale * (window.devicePixelRatio || 1));
    const coarse = patchAtLevel(patch, level);
    const bitmap = this.bitmaps.get(coarse, style);
    if (!bitmap) return;
    const step = 2 ** level;
    context.imageSmoothingEnabled = view.scale < 2;
    const at = toScreen(view, imagePoint(coarse.x * step, coarse.y * step));
    const unit = step * view.scale;
    context.drawImage(bitmap, at.x, at.y, coarse.width * unit, coarse.height * unit);
  }
}

function drawShape(context: CanvasRenderingContext2D, view: Viewport, shape: OverlayShape): void {
  if (shape.kind === "box") {
    drawBox(context, view, shape.box, css(DRAFT_COLOUR), [6, 4]);
  } else if (shape.kind === "circle") {
    drawRing(context, toScreen(view, shape.at), shape.radius * view.scale);
  } else if (shape.kind === "crosshair") {
    drawCrosshair(context, toScreen(view, shape.at), context.canvas);
  } else {
    const closed = shape.kind === "outline";
    const points = shape.points.map((point) => toScreen(view, point));
    twoTone(context, shape.removes ? REMOVE : css(DRAFT_COLOUR), [], () => trace(context, points, closed));
    if (closed) {
      for (const corner of shape.corners) drawCorner(context, toScreen(view, corner));
    }
  }
}

function trace(context: CanvasRenderingContext2D, points: readonly ScreenPoint[], closed: boolean): void {
  context.beginPath();
  points.forEach((at, index) => {
    if (index === 0) context.moveTo(at.x, at.y);
    context.lineTo(at.x + 0.01, at.y);
  });
  if (closed && points.length > 2) context.closePath();
  context.stroke();
}

function drawCorner(context: CanvasRenderingContext2D, at: ScreenPoint): void {
  context.fillStyle = "#fff";
  context.strokeStyle = "rgb(0 0 0 / 0.7)";
  context.lineWidth = 1;
  context.fillRect(at.x - 3.5, at.y - 3.5, 7, 7);
  context.strokeRect(at.x - 3.5, at.y - 3.5, 7, 7);
}

function drawBox(context: CanvasRenderingContext2D, view: Viewport, box: Box, colour: string, dash: number[]): void {
  const a = toScreen(view, imagePoint(box.x0, box.y0));
  const b = toScreen(view, imagePoint(box.x1, box.y1));
  twoTone(context, colour, dash, () => context.strokeRect(a.x, a.y, b.x - a.x, b.y - a.y));
}

/** A numbered flag whose tip is on the place. */
function drawPin(context: CanvasRenderingContext2D, at: ScreenPoint, text: string): void {
  context.fillStyle = "#1b1e20";
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(at.x, at.y);
  context.lineTo(at.x - 7, at.y - 14);
  context.arc(at.x, at.y - 20, 11, Math.PI * 0.75, Math.PI * 0.25);
  context.closePath();
  context.stroke();
  context.fill();
  context.fillStyle = "#fff";
  context.font = "600 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText(text, at.x, at.y - 16);
  context.textAlign = "start";
}

/** A dark line under a coloured one is seen on every picture. */
function twoTone(context: CanvasRenderingContext2D, colour: string, dash: number[], stroke: () => void): void {
  context.setLineDash([]);
  context.lineWidth = 3.5;
  context.strokeStyle = "rgb(0 0 0 / 0.55)";
  stroke();
  context.setLineDash(dash);
  context.lineWidth = 1.75;
  context.strokeStyle = colour;
  stroke();
  context.setLineDash([]);
}

/** Told apart by colour and by sign: plus adds, minus removes. */
function drawPoint(context: CanvasRenderingContext2D, at: ScreenPoint, label: 0 | 1): void {
  context.beginPath();
  context.arc(at.x, at.y, 7, 0, Math.PI * 2);
  context.fillStyle = label === 1 ? ADD : REMOVE;
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.stroke();
  context.beginPath();
  context.moveTo(at.x - 3.5, at.y);
  context.lineTo(at.x + 3.5, at.y);
  if (label === 1) {
    context.moveTo(at.x, at.y - 3.5);
    context.lineTo(at.x, at.y + 3.5);
  }
  context.stroke();
}

function drawRing(context: CanvasRenderingContext2D, at: ScreenPoint, radius: number): void {
  twoTone(context, "#fff", [], () => {
    context.beginPath();
    context.arc(at.x, at.y, Math.max(1, radius), 0, Math.PI * 2);
    context.stroke();
  });
}

function drawCrosshair(context: CanvasRenderingContext2D, at: ScreenPoint, canvas: HTMLCanvasElement): void {
  // White dashes with black ones in their gaps: one of the two is seen on every picture.
  for (const [colour, offset] of [
    ["rgb(255 255 255 / 0.85)", 0],
    ["rgb(0 0 0 / 0.65)", 4],
  ] as const) {
    context.lineWidth = 1;
    context.strokeStyle = colour;
    context.setLineDash([4, 4]);
    context.lineDashOffset = offset;
    context.beginPath();
    context.moveTo(at.x, 0);
    context.lineTo(at.x, canvas.height);
    context.moveTo(0, at.y);
    context.lineTo(canvas.width, at.y);
    context.stroke();
  }
  context.lineDashOffset = 0;
  context.setLineDash([]);
}

function drawStroke(context: CanvasRenderingContext2D, view: Viewport, stroke: NonNullable<Scene["stroke"]>): void {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = stroke.value === 1 ? css(DRAFT_COLOUR, 0.55) : "rgb(20 20 20 / 0.5)";
  const points = stroke.points.map((point) => toScreen(view, imagePoint(point.x, point.y)));
  const width = (point: StrokePoint) => Math.max(1, pressedRadius(point, stroke.radius) * 2 * view.scale);
  const [first] = stroke.points;
  if (!first) return;
  if (stroke.points.every((point) => point.pressure === first.pressure)) {
    context.lineWidth = width(first);
    trace(context, points, false);
    return;
  }
  stroke.points.forEach((point, at) => {
    context.lineWidth = width(point);
    trace(context, points.slice(Math.max(0, at - 1), at + 1), false);
  });
}

/** Lines every `scene.grid` image pixels; left out where they would lie closer than six CSS pixels. */
function drawGrid(context: CanvasRenderingContext2D, scene: Scene): void {
  const { view, imageSize, grid } = scene;
  const step = grid * view.scale;
  if (step < 6) return;
  context.lineWidth = 1;
  context.strokeStyle = GRID;
  context.beginPath();
  const right = view.x + imageSize.width * view.scale;
  const bottom = view.y + imageSize.height * view.scale;
  for (let x = view.x; x <= right + 0.5; x += step) {
    context.moveTo(Math.round(x) + 0.5, view.y);
    context.lineTo(Math.round(x) + 0.5, bottom);
  }
  for (let y = view.y; y <= bottom + 0.5; y += step) {
    context.moveTo(view.x, Math.round(y) + 0.5);
    context.lineTo(right, Math.round(y) + 0.5);
  }
  context.stroke();
}

function drawRuler(context: CanvasRenderingContext2D, view: Viewport, ruler: NonNullable<Scene["ruler"]>): void {
  const [a, b] = [toScreen(view, ruler.from), toScreen(view, ruler.to)];
  twoTone(context, "#fff", [], () => trace(context, [a, b], false));
  for (const end of [a, b]) drawCorner(context, end);
  context.font = "600 13px system-ui, sans-serif";
  const width = context.measureText(ruler.text).width;
  const [x, y] = [(a.x + b.x) / 2 + 10, (a.y + b.y) / 2 - 10];
  context.fillStyle = "rgb(20 22 24 / 0.85)";
  context.beginPath();
  context.roundRect(x - 7, y - 16, width + 14, 23, 6);
  context.fill();
  context.fillStyle = "#fff";
  context.fillText(ruler.text, x, y);
}
