import type { Size } from "../core/geometry";
import { levelFor } from "../core/pyramid";
import type { Viewport } from "../core/viewport";

/** Pixels of a tile on a side; docs/ingest.md. */
export const TILE = 1024;
/** Decoded tiles that are kept, of 4 MiB each and more for deep values: two screens of an ordinary window. */
const KEEP = 40;
/** Requests under way; a browser sends six to a server at once, and the model wants some. */
const AT_ONCE = 4;
/** What was asked for longer ago than so many tiles is no longer in view. */
const WAITING = 32;

/** Tiles by level, column and row; `null` while one is on its way. */
export type Key = `${number}/${number}/${number}`;

/** What one tile is drawn from, of so many pixels. */
export interface TileImage {
  readonly source: CanvasImageSource;
  readonly width: number;
  readonly height: number;
}

/**
 * A picture in tiles of several resolutions, of which those in view are fetched. Until a tile is there, what is known of
 * its place at a coarser resolution is drawn.
 */
export abstract class TileLayer<Tile> {
  protected readonly tiles = new Map<Key, Tile>();
  private readonly asked = new Set<Key>();
  private waiting: Key[] = [];
  private readonly listeners = new Set<() => void>();
  protected readonly last: number;

  constructor(
    protected readonly size: Size,
    levels: number,
  ) {
    this.last = levels - 1;
  }

  protected abstract load(level: number, column: number, row: number): Promise<Tile>;
  protected abstract imageOf(tile: Tile): TileImage;
  protected abstract drop(tile: Tile): void;

  /** The whole picture at its coarsest, so that there is something to draw. Rejects if it cannot be had. */
  async open(): Promise<this> {
    this.tiles.set(`${this.last}/0/0`, await this.load(this.last, 0, 0));
    return this;
  }

  /** Calls back when something can be drawn better than before. Returns what takes the listener off. */
  onBetter(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Draws the part that the canvas shows. `context` is in device pixels, `ratio` per CSS pixel. */
  draw(context: CanvasRenderingContext2D, view: Viewport, ratio: number): void {
    const scale = view.scale * ratio;
    const level = Math.min(levelFor(scale), this.last);
    const side = TILE * 2 ** level * scale;
    const [x, y] = [view.x * ratio, view.y * ratio];
    // Zoomed in, people judge single pixels: show them as they are.
    context.imageSmoothingEnabled = scale < 2;
    context.imageSmoothingQuality = "medium";
    const { canvas } = context;
    const columns = range(-x, canvas.width - x, side, this.size.width * scale);
    const rows = range(-y, canvas.height - y, side, this.size.height * scale);
    for (const row of rows) {
      for (const column of columns) {
        // On whole device pixels, or seams show where tiles meet.
        const [left, top] = [Math.round(x + column * side), Math.round(y + row * side)];
        const right = Math.round(x + Math.min((column + 1) * side, this.size.width * scale));
        const bottom = Math.round(y + Math.min((row + 1) * side, this.size.height * scale));
        this.drawTile(context, level, column, row, left, top, right - left, bottom - top);
      }
    }
    this.fetchMore();
  }

  private drawTile(
    context: CanvasRenderingContext2D,
    level: number,
    column: number,
    row: number,
    left: number,
    top: number,
    width: number,
    height: number,
  ): void {
    if (width <= 0 || height <= 0) return;
    const wanted: Key = `${level}/${column}/${row}`;
    for (let up = 0; level + up <= this.last; up++) {
      const key: Key = `${level + up}/${column >> up}/${row >> up}`;
      const tile = this.tiles.get(key);
      if (!tile) continue;
      if (up > 0) this.ask(wanted);
      this.tiles.delete(key);
      this.tiles.set(key, tile); // used last
      const part = TILE / 2 ** up;
      const [sx, sy] = [(column - ((column >> up) << up)) * part, (row - ((row >> up) << up)) * part];
      const { source, width: across, height: down } = this.imageOf(tile);
      const [wide, high] = [Math.min(part, across - sx), Math.min(part, down - sy)];
      if (wide > 0 && high > 0) context.drawImage(source, sx, sy, wide, high, left, top, width, height);
      return;
    }
    this.ask(wanted);
  }

  /** Fetches a tile as soon as others leave room. */
  protected ask(key: Key): void {
    if (this.asked.has(key)) return;
    this.waiting = [...this.waiting.filter((one) => one !== key), key].slice(-WAITING);
  }

  /** The newest wishes first. */
  protected fetchMore(): void {
    while (this.asked.size < AT_ONCE) {
      const key = this.waiting.pop();
      if (!key) return;
      this.asked.add(key);
      void this.fetchOne(key);
    }
  }

  private async fetchOne(key: Key): Promise<void> {
    try {
      const [level = 0, column = 0, row = 0] = key.split("/").map(Number);
      this.tiles.set(key, await this.load(level, column, row));
      this.forget();
      this.tellBetter();
    } catch {
      // What is there stays, coarser; the next look at this place asks again.
    } finally {
      this.asked.delete(key);
      this.fetchMore();
    }
  }

  private forget(): void {
    const [coarsest]: Key[] = [`${this.last}/0/0`];
    for (const [key, tile] of this.tiles) {
      if (this.tiles.size <= KEEP) return;
      if (key === coarsest) continue;
      this.tiles.delete(key);
      this.drop(tile);
    }
  }

  protected tellBetter(): void {
    for (const listener of this.listeners) listener();
  }
}

/** Numbers of the tiles between two device pixels, counted from the picture's edge, inside the picture. */
function range(from: number, to: number, side: number, end: number): number[] {
  const first = Math.max(0, Math.floor(from / side));
  const last = Math.min(Math.ceil(to / side), Math.ceil(end / side));
  return Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
}
