import type { ImageRecord } from "../api/types";

const KEY = "anymask.last";

interface LastWork {
  dataset: number;
  image: { id: number; name: string; thumbnail: string };
}

/** The image that was open in the editor last, on this computer. */
export function lastWork(): LastWork | null {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null") as LastWork | null;
  } catch {
    return null;
  }
}

export function rememberWork(image: ImageRecord): void {
  const { id, file_name: name, thumbnail_url: thumbnail } = image;
  localStorage.setItem(KEY, JSON.stringify({ dataset: image.dataset, image: { id, name, thumbnail } }));
}

export function forgetWork(imageId: number): void {
  if (lastWork()?.image.id === imageId) localStorage.removeItem(KEY);
}
