import type { ImageRecord } from "../api/types";
import { EMPTY_TRAIL, type Trail, visited } from "../core/trail";

const KEY = "anymask.last";
const TRAIL = "anymask.trail.";

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
  sessionStorage.setItem(TRAIL + image.dataset, JSON.stringify(visited(trailOf(image.dataset), id)));
}

export function forgetWork(imageId: number): void {
  if (lastWork()?.image.id === imageId) localStorage.removeItem(KEY);
}

/** The images that were opened in this tab, for going back. */
export function trailOf(dataset: number): Trail {
  try {
    return (JSON.parse(sessionStorage.getItem(TRAIL + dataset) ?? "null") as Trail | null) ?? EMPTY_TRAIL;
  } catch {
    return EMPTY_TRAIL;
  }
}
