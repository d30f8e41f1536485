import { MaskTiles } from "./maskTiles";
import { OverlayDrawing } from "./overlay";
import { drawPicture, onBetter, type Picture } from "./picture";
import type { Scene, SceneMask } from "./scene";

/** The three stacked canvases, lowest first. */
export interface Layers {
  readonly image: HTMLCanvasElement;
  readonly masks: HTMLCanvasElement;
  readonly overlay: HTMLCanvasElement;
}

/** Milliseconds per frame for composing masks; the rest of a frame of 60 a second is for drawing. */
const BUDGET = 6;

const NO_MASKS: readonly SceneMask[] = [];

/**
 * Paints a scene, at most once per frame. The image and the saved masks are painted again only when they or the view
 * changed; what follows the pointer lives on the overlay.
 */
export class Painter {
  private readonly tiles = new MaskTiles();
  /** What is painted left of the dividing line. */
  private readonly otherTiles = new MaskTiles();
  private readonly overlay = new OverlayDrawing();
  private frame = 0;
  private last: Scene | null = null;
  private resized = true;
  /** The picture can be drawn better; nothing else has changed. */
  private better = false;
  private unfinished = false;
  private offBetter: () => void = () => undefined;
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
    this.offBetter();
  }

  private paint(): void {
    const started = performance.now();
    const scene = this.scene();
    const last = this.resized ? null : this.last;
    const moved = last?.view !== scene.view;
    if (scene.image !== this.last?.image) this.follow(scene.image);
    if (moved || this.better || last?.image !== scene.image) this.paintImage(scene);
    const changed = [this.tiles.setMasks(scene.masks), this.otherTiles.setMasks(scene.divided?.masks ?? NO_MASKS)];
    const divided = last?.divided?.at !== scene.divided?.at;
    if (changed.includes(true) || divided || moved || this.unfinished) this.paintMasks(scene);
    this.paintOverlay(scene);
    this.last = scene;
    this.resized = false;
    this.better = false;
    this.lastPaint = performance.now() - started;
    this.onPainted();
    if (this.unfinished) this.request();
  }

  /** Paints again when smaller copies or further tiles of the picture are there. */
  private follow(image: Picture | null): void {
    this.offBetter();
    this.offBetter = image
      ? onBetter(image, () => {
          this.better = true;
          this.request();
        })
      : () => undefined;
  }

  private begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    return context;
  }

  private paintImage(scene: Scene): void {
    const context = this.begin(this.layers.image);
    if (!context || !scene.image) return;
    drawPicture(context, scene.image, scene.imageSize, scene.view, window.devicePixelRatio || 1);
  }

  private paintMasks(scene: Scene): void {
    const context = this.begin(this.layers.masks);
    if (!context) return;
    const { view, imageSize, divided } = scene;
    const ratio = window.devicePixelRatio || 1;
    if (!divided) {
      this.unfinished = !this.tiles.draw(context, view, ratio, imageSize, BUDGET);
      return;
    }
    const { width, height } = context.canvas;
    const edge = Math.round(divided.at * width);
    const half = (tiles: MaskTiles, left: number, right: number) => {
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, height);
      context.clip();
      const fresh = tiles.draw(context, view, ratio, imageSize, BUDGET / 2);
      context.restore();
      return fresh;
    };
    const fresh = [half(this.otherTiles, 0, edge), half(this.tiles, edge, width)];
    this.unfinished = fresh.includes(false);
  }

  private paintOverlay(scene: Scene): void {
    const context = this.begin(this.layers.overlay);
    if (!context) return;
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.overlay.draw(context, scene);
  }
}
