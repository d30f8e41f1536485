import type { Size } from "../core/geometry";
import type { History } from "../core/history";
import type { MaskItem, MaskStore } from "../core/maskStore";
import { type Patch, patchArea } from "../core/patch";
import { overlap, sharedArea, subtract } from "../core/pixels";
import { encodePatch } from "../core/rle";
import type { Segmenter } from "../segmenter/segmenter";

export interface CorrectionOptions {
  readonly store: MaskStore;
  readonly author: string;
  readonly stage: string;
  readonly newId: () => string;
  /** Masks that nobody may change now. */
  readonly locked: (id: string) => boolean;
}

/** What work with the model on one image needs besides. */
export interface ModelWorkOptions extends CorrectionOptions {
  readonly history: History;
  readonly segmenter: Segmenter;
  readonly imageId: number;
  readonly size: Size;
  readonly changed: () => void;
  readonly notice: (message: string) => void;
}

/** Whether a model took part in a mask's pixels. */
export const fromModel = ({ source }: MaskItem): boolean => source === "model" || source === "model_edited";

/** A mask with other pixels: a new version that supersedes `item`. What the model thought of the old one goes. */
export function corrected(item: MaskItem, patch: Patch, options: CorrectionOptions): MaskItem {
  return {
    ...item,
    id: options.newId(),
    patch,
    segmentation: encodePatch(patch, item.segmentation.size),
    area: patchArea(patch),
    status: "accepted",
    source: fromModel(item) ? "model_edited" : "hand",
    stage: options.stage,
    parent: item.id,
    predictedIou: null,
    stability: null,
    seconds: 0,
    edits: item.edits + 1,
    createdBy: options.author,
  };
}

/** Puts other pixels in the place of a mask's; without any pixel left the mask is deleted. The id of what is there now. */
export function replacePixels(item: MaskItem, patch: Patch, options: CorrectionOptions): string | null {
  const { store } = options;
  if (patch.width === 0) {
    store.setMask(item.id, { ...item, status: "deleted" });
    return null;
  }
  const next = corrected(item, patch, options);
  store.setMask(item.id, { ...item, status: "superseded" });
  store.setMask(next.id, next);
  return next.id;
}

/** How many masks were cut, and how many proposals were left alone. */
export interface CutOut {
  readonly cut: number;
  readonly proposals: number;
}

/**
 * Takes `patch` out of every other accepted mask that may be changed. Proposals stay whole: cut, they would be accepted
 * masks that nobody has looked at.
 */
export function cutOutOfOthers(patch: Patch, except: ReadonlySet<string>, options: CorrectionOptions): CutOut {
  let [cut, proposals] = [0, 0];
  for (const other of options.store.visible()) {
    if (except.has(other.id) || sharedArea(other.patch, patch) === 0) continue;
    if (other.status === "proposed") proposals++;
    else if (!options.locked(other.id)) {
      replacePixels(other, subtract(other.patch, patch), options);
      cut++;
    }
  }
  return { cut, proposals };
}

/** `patch` without the pixels of the current masks that `holds` names. */
export function without(patch: Patch, store: MaskStore, holds: (item: MaskItem) => boolean): Patch {
  return store
    .visible()
    .filter((item) => holds(item) && overlap(item.patch, patch))
    .reduce((left, item) => subtract(left, item.patch), patch);
}
