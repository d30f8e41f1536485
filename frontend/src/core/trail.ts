/**
 * The images that one person has been through in one dataset, in order, with the place they are at: "back" and
 * "forward" as in a browser, without the pages in between. Plain data, so that it can be stored.
 */
export interface Trail {
  readonly images: readonly number[];
  readonly at: number;
}

export const EMPTY_TRAIL: Trail = { images: [], at: -1 };

/** Longer ago nobody wants to go back to by key; the list of images leads everywhere. */
const KEEP = 100;

/** The trail after opening an image: at its place if that is next door, else at the end. */
export function visited(trail: Trail, image: number): Trail {
  for (const at of [trail.at, trail.at - 1, trail.at + 1]) {
    if (trail.images[at] === image) return { ...trail, at };
  }
  // What was further on stays: going back to look must not lose the place one came from.
  const images = [...trail.images.filter((one) => one !== image), image].slice(-KEEP);
  return { images, at: images.length - 1 };
}

export const earlier = (trail: Trail): number | null => trail.images[trail.at - 1] ?? null;
export const later = (trail: Trail): number | null => trail.images[trail.at + 1] ?? null;
