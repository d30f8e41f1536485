import { type Box, boxOverlap, type Size } from "../core/geometry";
import { patchBox } from "../core/patch";
import { COARSEST, levelFor } from "../core/pyramid";
import { composeTile, TILE } from "../core/tile";
import type { Viewport } from "../core/viewport";
import type { SceneMask } from "./scene";

/** Tiles kept: some screens full. A tile is 256 KiB, so this bounds what masks cost whatever their number. */
const KEEP = 160;

interface Tile {
  readonly level: number;
  readonly column: number;
  readonly row: number;
  /** Null: no mask reaches it. */
  canvas: HTMLCanvasElement | null;
  stale: boolean;
}

/**
 * The saved masks as a picture in tiles, at the resolution that the view needs. Moving draws tiles that are there;
 * a changed mask makes only the tiles stale that it touches; what is missing is composed within a budget per frame, and
 * shown coarse or old until then. So a frame costs the same with 3 masks and with 300.
 */
export class MaskTiles {
  private readonly tiles = new Map<string, Tile>();
  private masks: readonly SceneMask[] = [];

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Takes up the masks of a scene and marks what they changed. True when there was anything. */
  setMasks(masks: readonly SceneMask[]): boolean {
    const before = this.masks;
    if (before === masks) return false;
    this.masks = masks;
    const dirty = changedBoxes(before, masks);
    if (dirty.length === 0) return false;
    for (const tile of this.tiles.values()) {
      const side = TILE << tile.level;
      const [x0, y0] = [tile.column * side, tile.row * side];
      const area = { x0, y0, x1: x0 + side, y1: y0 + side };
      tile.stale ||= dirty.some((box) => boxOverlap(box, area) !== null);
    }
    return true;
  }

  /**
   * Draws what the view shows. `context` is in device pixels, `ratio` of them per CSS pixel. True when all of it is
   * fresh; else draw again soon. `budget` is in milliseconds.
   */
  draw(context: CanvasRenderingContext2D, view: Viewport, ratio: number, image: Size, budget: number): boolean {
    const level = levelFor(view.scale * ratio);
    const side = TILE << level;
    const { canvas } = context;
    const [x, y, scale] = [view.x * ratio, view.y * ratio, view.scale * ratio];
    const columns = range(-x / scale, (canvas.width - x) / scale, image.width, side);
    const rows = range(-y / scale, (canvas.height - y) / scale, image.height, side);
    const deadline = this.now() + budget;
    let [fresh, made] = [true, 0];
    // Zoomed in, people judge single pixels.
    context.imageSmoothingEnabled = scale < 2;
    for (let row = rows.first; row < rows.end; row++) {
      for (let column = columns.first; column < columns.end; column++) {
        let tile = this.touched(level, column, row);
        if ((!tile || tile.stale) && (made === 0 || this.now() < deadline)) {
          tile = this.compose(level, column, row, tile);
          made += 1;
        }
        if (!tile || tile.stale) fresh = false;
        const edges = [column * side, row * side, (column + 1) * side, (row + 1) * side];
        const [left = 0, top = 0, right = 0, bottom = 0] = edges.map((edge, at) =>
          // Whole device pixels: no seams between tiles.
          Math.round((at % 2 === 0 ? x : y) + edge * scale),
        );
        const shown = tile ? { tile, x: 0, y: 0, side: TILE } : this.coarser(level, column, row);
        if (!shown?.tile.canvas) continue;
        const { canvas: source } = shown.tile;
        context.drawImage(source, shown.x, shown.y, shown.side, shown.side, left, top, right - left, bottom - top);
      }
    }
    this.forget();
    return fresh;
  }

  /** Bytes held in tiles. */
  get bytes(): number {
    return [...this.tiles.values()].filter((tile) => tile.canvas).length * TILE * TILE * 4;
  }

  private touched(level: number, column: number, row: number): Tile | undefined {
    const key = `${level}/${column}/${row}`;
    const tile = this.tiles.get(key);
    if (tile) {
      this.tiles.delete(key);
      this.tiles.set(key, tile);
    }
    return tile;
  }

  private compose(level: number, column: number, row: number, known: Tile | undefined): Tile {
    const pixels = composeTile(this.masks, level, column, row);
    const tile = known ?? { level, column, row, canvas: null, stale: false };
    tile.stale = false;
    if (pixels) {
      tile.canvas ??= newTile();
      tile.canvas.getContext("2d")?.putImageData(new ImageData(pixels, TILE, TILE), 0, 0);
    } else {
      tile.canvas = null;
    }
    this.tiles.set(`${level}/${column}/${row}`, tile);
    return tile;
  }

  /** The part of a coarser tile that covers this place, to be shown until the right one is there. */
  private coarser(level: number, column: number, row: number) {
    for (let up = 1; level + up <= COARSEST; up++) {
      const tile = this.tiles.get(`${level + up}/${column >> up}/${row >> up}`);
      if (!tile) continue;
      const side = TILE >> up;
      const within = (1 << up) - 1;
      return { tile, x: (column & within) * side, y: (row & within) * side, side };
    }
    return null;
  }

  private forget(): void {
    for (const key of this.tiles.keys()) {
      if (this.tiles.size <= KEEP) return;
      this.tiles.delete(key);
    }
  }
}

function newTile(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = TILE;
  canvas.height = TILE;
  return canvas;
}

/** Tiles between two image coordinates, inside the image. */
function range(from: number, to: number, length: number, side: number) {
  const last = Math.ceil(length / side);
  return {
    first: Math.min(last, Math.max(0, Math.floor(from / side))),
    end: Math.max(0, Math.min(last, Math.ceil(to / side))),
  };
}

const sameLook = (a: SceneMask, b: SceneMask): boolean =>
  a.patch === b.patch &&
  a.selected === b.selected &&
  a.pattern === b.pattern &&
  a.outlined === b.outlined &&
  a.colour === b.colour;

/** Boxes in image pixels in which the two lists look different. */
function changedBoxes(before: readonly SceneMask[], after: readonly SceneMask[]): Box[] {
  const old = new Map(before.map((mask) => [mask.id, mask]));
  const dirty: Box[] = [];
  const kept: SceneMask[] = [];
  for (const mask of after) {
    const other = old.get(mask.id);
    if (other) {
      kept.push(other);
      old.delete(mask.id);
      if (sameLook(mask, other)) continue;
      dirty.push(patchBox(other.patch));
    }
    dirty.push(patchBox(mask.patch));
  }
  for (const gone of old.values()) dirty.push(patchBox(gone.patch));
  // What changed its place among the others changes where it covers them.
  const remaining = before.filter((mask) => !old.has(mask.id));
  remaining.forEach((mask, at) => {
    if (kept[at] !== mask) dirty.push(patchBox(mask.patch));
  });
  return dirty;
}
