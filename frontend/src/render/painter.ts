import type { Box, ScreenPoint } from "../core/geometry";
import { imagePoint } from "../core/geometry";
import { css, DRAFT_COLOUR } from "../core/palette";
import type { Patch } from "../core/patch";
import { toScreen, type Viewport } from "../core/viewport";
import { PatchBitmaps, type PatchStyle } from "./patchBitmap";
import type { Scene } from "./scene";

const ADD = "#12a150";
const REMOVE = "#d4351c";

/** The three stacked canvases, lowest first. */
export interface Layers {
  readonly image: HTMLCanvasElement;
  readonly masks: HTMLCanvasElement;
  readonly overlay: HTMLCanvasElement;
}

/**
 * Paints a scene, at most once per frame. The image and the saved masks are painted again only when they or the view
 * changed; what follows the pointer lives on the overlay.
 */
export class Painter {
  private readonly bitmaps = new PatchBitmaps();
  private frame = 0;
  private last: Scene | null = null;
  private resized = true;
  /** Milliseconds the last frame took to paint. */
  lastPaint = 0;

  constructor(
    private readonly layers: Layers,
    private readonly scene: () => Scene,
    private readonly onPainted: () => void = () => undefined,
  ) {}

  request(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  /** Sizes in CSS pixels; the canvases get the screen's real pixels. */
  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of Object.values(this.layers) as HTMLCanvasElement[]) {
      canvas.width = Math.max(1, Math.round(width * ratio));
      canvas.height = Math.max(1, Math.round(height * ratio));
    }
    this.resized = true;
    this.request();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
  }

  private paint(): void {
    const started = performance.now();
    const scene = this.scene();
    const last = this.resized ? null : this.last;
    const moved = last?.view !== scene.view;
    if (moved || last?.image !== scene.image) this.paintImage(scene);
    if (moved || !sameMasks(last?.masks, scene.masks)) this.paintMasks(scene);
    this.paintOverlay(scene);
    this.last = scene;
    this.resized = false;
    this.lastPaint = performance.now() - started;
    this.onPainted();
  }

  private begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  private paintImage(scene: Scene): void {
    const context = this.begin(this.layers.image);
    if (!context || !scene.image) return;
    const { view, imageSize } = scene;
    // Zoomed in, people judge single pixels: show them as they are.
    context.imageSmoothingEnabled = view.scale < 2;
    context.imageSmoothingQuality = "high";
    context.drawImage(scene.image, view.x, view.y, imageSize.width * view.scale, imageSize.height * view.scale);
  }

  private paintMasks(scene: Scene): void {
    const context = this.begin(this.layers.masks);
    if (!context) return;
    for (const mask of scene.masks) {
      const style = { colour: mask.colour, fill: mask.selected ? 0.6 : 0.38, rim: mask.selected ? 1 : 0.9 };
      this.drawPatch(context, scene.view, mask.patch, style);
      if (mask.selected) this.drawBox(context, scene.view, boxOf(mask.patch), css(mask.colour), [4, 4]);
    }
  }

  private paintOverlay(scene: Scene): void {
    const context = this.begin(this.layers.overlay);
    if (!context) return;
    const { view, draft } = scene;
    if (draft) {
      const style = draft.preview
        ? { colour: DRAFT_COLOUR, fill: 0.28, rim: 0.8 }
        : { colour: DRAFT_COLOUR, fill: 0.5, rim: 1 };
      this.drawPatch(context, view, draft.patch, style);
    }
    if (scene.stroke) drawStroke(context, view, scene.stroke);
    if (scene.box) this.drawBox(context, view, scene.box, css(DRAFT_COLOUR), []);
    for (const point of scene.points) {
      drawPoint(context, toScreen(view, imagePoint(point.x, point.y)), point.label);
    }
    for (const shape of scene.shapes) {
      if (shape.kind === "box") this.drawBox(context, view, shape.box, css(DRAFT_COLOUR), [6, 4]);
      else if (shape.kind === "circle") drawRing(context, toScreen(view, shape.at), shape.radius * view.scale);
      else drawCrosshair(context, toScreen(view, shape.at), this.layers.overlay);
    }
  }

  private drawPatch(context: CanvasRenderingContext2D, view: Viewport, patch: Patch, style: PatchStyle): void {
    const bitmap = this.bitmaps.get(patch, style);
    if (!bitmap) return;
    context.imageSmoothingEnabled = view.scale < 2;
    const at = toScreen(view, imagePoint(patch.x, patch.y));
    context.drawImage(bitmap, at.x, at.y, patch.width * view.scale, patch.height * view.scale);
  }

  private drawBox(context: CanvasRenderingContext2D, view: Viewport, box: Box, colour: string, dash: number[]): void {
    const a = toScreen(view, imagePoint(box.x0, box.y0));
    const b = toScreen(view, imagePoint(box.x1, box.y1));
    twoTone(context, colour, dash, () => context.strokeRect(a.x, a.y, b.x - a.x, b.y - a.y));
  }
}

function sameMasks(a: Scene["masks"] | undefined, b: Scene["masks"]): boolean {
  return (
    a !== undefined &&
    a.length === b.length &&
    a.every((mask, at) => mask.patch === b[at]?.patch && mask.selected === b[at]?.selected && mask.id === b[at]?.id)
  );
}

const boxOf = (patch: Patch): Box => ({
  x0: patch.x,
  y0: patch.y,
  x1: patch.x + patch.width,
  y1: patch.y + patch.height,
});

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
  context.lineWidth = 1;
  context.strokeStyle = "rgb(255 255 255 / 0.7)";
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(at.x, 0);
  context.lineTo(at.x, canvas.height);
  context.moveTo(0, at.y);
  context.lineTo(canvas.width, at.y);
  context.stroke();
  context.setLineDash([]);
}

function drawStroke(context: CanvasRenderingContext2D, view: Viewport, stroke: NonNullable<Scene["stroke"]>): void {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.lineWidth = Math.max(1, stroke.radius * 2 * view.scale);
  context.strokeStyle = stroke.value === 1 ? css(DRAFT_COLOUR, 0.55) : "rgb(20 20 20 / 0.5)";
  context.beginPath();
  stroke.points.forEach((point, index) => {
    const at = toScreen(view, point);
    if (index === 0) context.moveTo(at.x, at.y);
    context.lineTo(at.x + 0.01, at.y);
  });
  context.stroke();
}
