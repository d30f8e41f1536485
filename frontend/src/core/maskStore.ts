import { type Draft, EMPTY_DRAFT } from "./draft";
import { Emitter } from "./emitter";
import { type ImagePoint, imagePoint } from "./geometry";
import { type Patch, patchHas } from "./patch";
import type { Segmentation } from "./rle";

export type MaskStatus = "accepted" | "proposed" | "superseded" | "deleted";

/** One mask as the editor holds it. Immutable: a correction is another item whose `parent` is this one's id. */
export interface MaskItem {
  readonly id: string;
  readonly segmentation: Segmentation;
  readonly patch: Patch;
  readonly area: number;
  readonly status: MaskStatus;
  readonly category: string;
  readonly source: "model" | "model_edited" | "hand" | "imported";
  readonly stage: string;
  readonly parent: string | null;
  readonly predictedIou: number | null;
  readonly stability: number | null;
  readonly prompts: readonly unknown[];
  readonly candidates: readonly unknown[];
  readonly chosen: number | null;
  readonly model: string;
  readonly seconds: number;
  readonly edits: number;
  readonly createdBy: string;
  /** On a frame of a video: which track it belongs to. A correction has its parent's. */
  readonly track: string | null;
}

/** Everything that undo can bring back. */
export interface Document {
  readonly masks: ReadonlyMap<string, MaskItem>;
  readonly draft: Draft;
}

export type Change =
  | { readonly kind: "mask"; readonly id: string; readonly before: MaskItem | null; readonly after: MaskItem | null }
  | { readonly kind: "draft"; readonly before: Draft; readonly after: Draft };

/** `local`: a person did it here (or undid it). `remote`: it came from the server and never enters undo. */
export type Origin = "local" | "remote";

export interface ChangeSet {
  readonly origin: Origin;
  readonly changes: readonly Change[];
}

/** Whether a mask counts: neither superseded nor deleted. */
export const isCurrent = (item: MaskItem): boolean => item.status === "accepted" || item.status === "proposed";

/** Same mask in the same state, whatever object holds it. */
export function sameState(a: MaskItem | null, b: MaskItem | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.id === b.id &&
    a.status === b.status &&
    a.category === b.category &&
    a.segmentation.counts === b.segmentation.counts
  );
}

/** The masks of one image and the draft. The only way to change them is `apply`, so every change has an origin. */
export class MaskStore {
  readonly changed = new Emitter<ChangeSet>();
  private document: Document = { masks: new Map(), draft: EMPTY_DRAFT };

  get current(): Document {
    return this.document;
  }

  get draft(): Draft {
    return this.document.draft;
  }

  mask(id: string): MaskItem | null {
    return this.document.masks.get(id) ?? null;
  }

  /** Masks that count, oldest first. */
  visible(): MaskItem[] {
    return [...this.document.masks.values()].filter(isCurrent);
  }

  deleted(): MaskItem[] {
    return [...this.document.masks.values()].filter((item) => item.status === "deleted");
  }

  /** The smallest current mask under the point: what lies inside another one stays reachable. */
  at(point: ImagePoint, skip: ReadonlySet<string>): MaskItem | null {
    const where = imagePoint(point.x, point.y);
    let best: MaskItem | null = null;
    for (const item of this.visible()) {
      if (skip.has(item.id) || !patchHas(item.patch, where)) continue;
      if (!best || item.area < best.area) best = item;
    }
    return best;
  }

  setMask(id: string, after: MaskItem | null, origin: Origin = "local"): void {
    this.setMasks(new Map([[id, after]]), origin);
  }

  /** Several masks by id (null: no longer there) in one change set. */
  setMasks(masks: ReadonlyMap<string, MaskItem | null>, origin: Origin): void {
    const changes = [...masks].map(([id, after]) => ({ kind: "mask", id, before: this.mask(id), after }) as const);
    this.apply(changes, origin);
  }

  setDraft(after: Draft, origin: Origin = "local"): void {
    this.apply([{ kind: "draft", before: this.draft, after }], origin);
  }

  apply(changes: readonly Change[], origin: Origin): void {
    if (changes.length === 0) return;
    let { draft } = this.document;
    let masks: Map<string, MaskItem> | null = null;
    for (const change of changes) {
      if (change.kind === "draft") {
        draft = change.after;
        continue;
      }
      masks ??= new Map(this.document.masks);
      if (change.after) masks.set(change.id, change.after);
      else masks.delete(change.id);
    }
    this.document = { masks: masks ?? this.document.masks, draft };
    this.changed.emit({ origin, changes });
  }
}
