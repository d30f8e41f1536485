/** Decoded pictures: this one, the next ones, a few earlier ones. */
const KEEP = 5;
const pictures = new Map<string, Promise<HTMLImageElement>>();

/** The picture at the address, decoded and ready to be drawn; asked for early it is there at once. */
export function picture(url: string): Promise<HTMLImageElement> {
  const known = pictures.get(url);
  if (known) {
    pictures.delete(url);
    pictures.set(url, known);
    return known;
  }
  const image = new Image();
  image.src = url;
  const loading = image.decode().then(() => image);
  pictures.set(url, loading);
  loading.catch(() => pictures.delete(url));
  const oldest = pictures.keys().next().value;
  if (pictures.size > KEEP && oldest !== undefined) pictures.delete(oldest);
  return loading;
}
