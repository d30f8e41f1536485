import type { Box } from "../core/geometry";
import type { Patch } from "../core/patch";
import type { Segmentation } from "../core/rle";

/** Decoder tokens: 0 is the single mask for several prompts, 1 to 3 are the readings of an ambiguous one. */
export type Token = 0 | 1 | 2 | 3;

/** One mask offered for the prompts. */
export interface Candidate {
  readonly token: number;
  readonly predictedIou: number;
  readonly stability: number;
  readonly area: number;
  readonly patch: Patch;
  /** The pixels as the server's decoder sent them; null for a mask made here, which is encoded when it is accepted. */
  readonly segmentation: Segmentation | null;
  /** Low-resolution logits for the next prompt; null when the decoder runs on the server. */
  readonly logits: Float32Array | null;
}

export interface DecodeRequest {
  readonly imageId: number;
  /** Image pixels, x right and y down. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** 1 adds, 0 removes; one per point. */
  readonly labels: readonly (0 | 1)[];
  readonly box: Box | null;
  /** The candidate that the person saw when giving the last prompt. */
  readonly feed: Candidate | null;
  /** A rough mask to start from; counts only where nothing is fed. */
  readonly rough: Segmentation | null;
  /** `hover` asks for the best mask only, and may be dropped; `grid` waits until nobody else asks. */
  readonly purpose: "prompt" | "hover" | "grid";
  /** For `grid`: what the model itself thinks worse of need not be made. */
  readonly atLeastIou?: number;
}

export interface Decoded {
  /** In the order in which they are offered. */
  readonly candidates: readonly Candidate[];
  /** Digest of the model that answered. */
  readonly model: string;
  /** Milliseconds from the request to the masks. */
  readonly milliseconds: number;
  /** Of these, the decoder's own; null where it was not run, or not here. */
  readonly decoding: number | null;
}

/** How far an image is on its way to being clickable. */
export type Readiness =
  | { readonly state: "ready"; readonly model: string }
  | { readonly state: "pending"; readonly message: string; readonly progress: number | null }
  | { readonly state: "failed"; readonly message: string };

/**
 * Answers prompts with masks. Implementations: LocalSegmenter (this browser), RemoteSegmenter (the server),
 * FakeSegmenter (tests). All reject with Overtaken when a newer request has taken the place of this one.
 */
export interface Segmenter {
  readonly place: "browser" | "server" | "fake";
  /** Makes the image clickable, telling how far it is, until the signal stops it. Resolves when ready or failed. */
  prepare(imageId: number, report: (readiness: Readiness) => void, signal: AbortSignal): Promise<void>;
  /** Of several masks that which is shown first may be made before the others, and `onBest` is told of it then. */
  decode(request: DecodeRequest, onBest?: (best: Candidate) => void): Promise<Decoded>;
  /** Loads the decoder of a model version ahead of the first image. A favour: it may do nothing, and never fails. */
  warm(decoderUrl: string): void;
  /** What is under way is rejected, as is what is still asked: for the reason if there is one, else as overtaken. */
  close(reason?: Error): void;
}

/** Several prompts: the single mask first, then the readings. One point: the readings from small to large. */
export function offered<T extends { token: number; area: number }>(all: readonly T[], single: boolean): T[] {
  const readings = all.filter((one) => one.token > 0).toSorted((a, b) => a.area - b.area);
  return single ? readings : [...all.filter((one) => one.token === 0), ...readings];
}

/** The one shown before the person chooses: the single mask for several prompts, else the best predicted IoU. */
export function bestOf(candidates: readonly Candidate[]): Candidate | null {
  const single = candidates.find((one) => one.token === 0);
  if (single) return single;
  return candidates.reduce<Candidate | null>(
    (best, one) => (best && best.predictedIou >= one.predictedIou ? best : one),
    null,
  );
}

/** SAM's rule: exactly one prompt that is a point is ambiguous. */
export function isSinglePoint(request: Pick<DecodeRequest, "points" | "box" | "rough">): boolean {
  return request.points.length === 1 && request.box === null && request.rough === null;
}
