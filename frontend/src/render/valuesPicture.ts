import { paintValues, rampOf, toneTable, type Values, type ValuesSource, valuesFrom } from "../core/deepValues";
import type { ImagePoint, Size } from "../core/geometry";
import type { Viewport } from "../core/viewport";
import { type PictureLook, PLAIN_LOOK } from "../core/viewSettings";
import { type Key, TILE, type TileImage, TileLayer } from "./tileLayer";

/** Milliseconds per frame for painting tiles anew; those that are left keep their last look until the next frame. */
const BUDGET = 12;

interface ValueTile {
  readonly planes: readonly Values[];
  readonly image: OffscreenCanvas;
  /** The look that `image` shows; null: none yet. */
  look: PictureLook | null;
}

/** What is read at a place: one value per channel that is shown, or means of some pixels until the tile is there. */
export interface Reading {
  readonly values: readonly number[];
  readonly exact: boolean;
}

/** A deep picture in its own values: the window from black to white is applied here, tile by tile, as it is drawn. */
export class ValuesPicture extends TileLayer<ValueTile> {
  private look: PictureLook = PLAIN_LOOK;
  private tones = toneTable(PLAIN_LOOK);
  private until = 0;
  private stale = false;

  /** `planes`: numbers of the channels to show, one or up to three. */
  constructor(
    readonly source: ValuesSource,
    readonly planes: readonly number[],
    size: Size,
    private readonly fetchBytes: (address: string) => Promise<ArrayBuffer> = fetchTile,
  ) {
    super(size, source.levels);
  }

  setLook(look: PictureLook): void {
    if (look === this.look) return;
    this.look = look;
    this.tones = toneTable(look);
    this.tellBetter();
  }

  override draw(context: CanvasRenderingContext2D, view: Viewport, ratio: number): void {
    this.until = performance.now() + BUDGET;
    this.stale = false;
    super.draw(context, view, ratio);
    // After this frame: whoever listens may be in the middle of painting it.
    if (this.stale) queueMicrotask(() => this.tellBetter());
  }

  /** The values at a point of the image; null outside, and where nothing is known yet. */
  at({ x, y }: ImagePoint): Reading | null {
    if (x < 0 || y < 0 || x >= this.size.width || y >= this.size.height) return null;
    for (let level = 0; level <= this.last; level++) {
      const [column, row] = [Math.floor(x) >> level, Math.floor(y) >> level];
      const tile = this.tiles.get(keyOf(level, column, row));
      if (!tile) continue;
      const index = (row % TILE) * tile.image.width + (column % TILE);
      return { values: tile.planes.map((plane) => plane[index] ?? Number.NaN), exact: level === 0 };
    }
    return null;
  }

  /** Fetches the tile in which the values at a point are exact; `onBetter` tells when it is there. */
  want({ x, y }: ImagePoint): void {
    this.ask(keyOf(0, Math.floor(x), Math.floor(y)));
    this.fetchMore();
  }

  protected async load(level: number, column: number, row: number): Promise<ValueTile> {
    const place = this.source.url.replace("{z}", `${level}`).replace("{x}", `${column}`).replace("{y}", `${row}`);
    const fetched = this.planes.map(async (plane) => {
      const bytes = await this.fetchBytes(place.replace("{channel}", `${plane}`));
      return valuesFrom(this.source.kind, bytes);
    });
    const planes = await Promise.all(fetched);
    const across = Math.min(TILE, Math.ceil(this.size.width / 2 ** level) - column * TILE);
    const down = Math.min(TILE, Math.ceil(this.size.height / 2 ** level) - row * TILE);
    if (planes.some((values) => values.length !== across * down)) throw new Error("tile: cut short");
    return { planes, image: new OffscreenCanvas(across, down), look: null };
  }

  protected imageOf(tile: ValueTile): TileImage {
    if (tile.look !== this.look) {
      if (tile.look === null || performance.now() < this.until) this.repaint(tile);
      else this.stale = true;
    }
    return { source: tile.image, width: tile.image.width, height: tile.image.height };
  }

  protected drop(tile: ValueTile): void {
    // The memory of a canvas goes with its pixels, now and not some time later.
    tile.image.width = 0;
  }

  private repaint(tile: ValueTile): void {
    const { width, height } = tile.image;
    const context = tile.image.getContext("2d");
    if (!context) return;
    const { channels, inverted } = this.source;
    const ramps = this.planes.flatMap((plane) => {
      const ends = channels[plane];
      return ends ? [rampOf(this.look, ends, inverted)] : [];
    });
    const pixels = context.createImageData(width, height);
    paintValues(tile.planes, ramps, this.tones, new Uint32Array(pixels.data.buffer));
    context.putImageData(pixels, 0, 0);
    tile.look = this.look;
  }
}

/** The tile of a level that holds the pixel in this column and row of the level. */
const keyOf = (level: number, column: number, row: number): Key =>
  `${level}/${Math.floor(column / TILE)}/${Math.floor(row / TILE)}`;

async function fetchTile(address: string): Promise<ArrayBuffer> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`tile: ${answer.status}`);
  return answer.arrayBuffer();
}
