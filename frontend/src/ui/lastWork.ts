import type { ImageRecord, Task } from "../api/types";
import { EMPTY_TRAIL, type Trail, visited } from "../core/trail";

const KEY = "anymask.last";
const TRAIL = "anymask.trail.";
const TASK = "anymask.task.";

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

/** `task`: what is to be done there where it is not labelling; stepping back to the image goes on with it. */
export function rememberWork(image: ImageRecord, task: Task | null): void {
  const { id, file_name: name, thumbnail_url: thumbnail } = image;
  localStorage.setItem(KEY, JSON.stringify({ dataset: image.dataset, image: { id, name, thumbnail } }));
  sessionStorage.setItem(TRAIL + image.dataset, JSON.stringify(visited(trailOf(image.dataset), id)));
  // Without its lease: by then it may have ended, and who comes back takes the work up again.
  if (task && task.kind !== "annotate") sessionStorage.setItem(TASK + id, JSON.stringify({ ...task, lease: null }));
}

/** The work on an image of the trail; null where it is labelling. */
export function taskOf(imageId: number): Task | null {
  try {
    return JSON.parse(sessionStorage.getItem(TASK + imageId) ?? "null") as Task | null;
  } catch {
    return null;
  }
}

export function forgetWork(imageId: number): void {
  sessionStorage.removeItem(TASK + imageId);
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
