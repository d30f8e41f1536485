import type { ImageRecord } from "../../api/types";
import type { Picture } from "../../render/picture";
import { TiledPicture } from "../../render/tiledPicture";

/** Decoded pictures: this one, the next ones, a few earlier ones. */
const KEEP = 5;
const pictures = new Map<string, Promise<Picture>>();
/** Of those, what has been decoded. */
const decoded = new Map<string, Picture>();

/** The picture of an image, ready to be drawn; asked for early it is there at once. */
export function pictureOf(image: ImageRecord): Promise<Picture> {
  const { tiles_url: tiles, tile_levels: levels } = image;
  return tiles ? kept(tiles, () => new TiledPicture(tiles, image, levels).open()) : picture(image.file_url);
}

/** The picture of an image if it can be drawn now; else null. */
export function pictureNow({ tiles_url: tiles, file_url: file }: ImageRecord): Picture | null {
  return decoded.get(tiles ?? file) ?? null;
}

/** The picture at the address, decoded whole. */
export function picture(url: string): Promise<Picture> {
  return kept(url, () => {
    const image = new Image();
    image.src = url;
    return image.decode().then(() => image);
  });
}

function kept(url: string, load: () => Promise<Picture>): Promise<Picture> {
  const known = pictures.get(url);
  if (known) {
    pictures.delete(url);
    pictures.set(url, known);
    return known;
  }
  const loading = load();
  pictures.set(url, loading);
  loading.then(
    (picture) => pictures.get(url) === loading && decoded.set(url, picture),
    () => pictures.delete(url),
  );
  const oldest = pictures.keys().next().value;
  if (pictures.size > KEEP && oldest !== undefined) {
    pictures.delete(oldest);
    decoded.delete(oldest);
  }
  return loading;
}
