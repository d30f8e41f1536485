import type { Size } from "../core/geometry";
import { type TileImage, TileLayer } from "./tileLayer";

/** A picture too large to be decoded whole. */
export class TiledPicture extends TileLayer<ImageBitmap> {
  /** `address` has {z}, {x} and {y} for level, column and row. */
  constructor(
    private readonly address: string,
    size: Size,
    levels: number,
    private readonly fetchImage: (address: string) => Promise<ImageBitmap> = fetchTile,
  ) {
    super(size, levels);
  }

  protected load(level: number, column: number, row: number): Promise<ImageBitmap> {
    const { address } = this;
    return this.fetchImage(address.replace("{z}", `${level}`).replace("{x}", `${column}`).replace("{y}", `${row}`));
  }

  protected imageOf(tile: ImageBitmap): TileImage {
    return { source: tile, width: tile.width, height: tile.height };
  }

  protected drop(tile: ImageBitmap): void {
    tile.close();
  }
}

/** Decoded away from the main thread. */
async function fetchTile(address: string): Promise<ImageBitmap> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`tile: ${answer.status}`);
  return createImageBitmap(await answer.blob());
}
