/** Longer than this was a walk to the coffee machine, not the product. */
const LONGEST = 120_000;

let started: number | null = null;

/** Times the way from "submit and next" to the next image being ready, across the two editors that it touches. */
export const nextOpening = {
  start(now: number): void {
    started = now;
  },
  /** The editor of another image is ready: milliseconds since the start, once; null when there was none. */
  finish(now: number): number | null {
    const from = started;
    started = null;
    return from !== null && now - from < LONGEST ? now - from : null;
  },
};
