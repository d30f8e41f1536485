import type { MaskRecord } from "../api/types";
import { clamp } from "../core/geometry";
import type { Patch } from "../core/patch";
import { decodePatch } from "../core/rle";

/** The first version of a mask: what a person drew, or a model proposed, before anybody corrected it. */
export interface FirstMask {
  readonly id: string;
  readonly patch: Patch;
  /** The last version, or this one where it was never corrected. */
  readonly last: string;
}

export interface SplitOptions {
  /** All masks the image ever had, superseded and deleted ones too. */
  readonly ask: () => Promise<readonly MaskRecord[]>;
  readonly changed: () => void;
  readonly notice: (message: string) => void;
}

/** The whole image on both sides of a line: left of it every mask as it was first made, right of it as it is now. */
export class SplitView {
  /** Null: the image is not divided. */
  before: readonly FirstMask[] | null = null;
  /** Where the line stands: a share of the canvas's width. */
  at = 0.5;
  private asking = false;

  constructor(private readonly options: SplitOptions) {}

  async toggle(): Promise<void> {
    const { ask, changed, notice } = this.options;
    if (this.asking) return;
    if (this.before) {
      this.before = null;
      changed();
      return;
    }
    this.asking = true;
    try {
      this.before = firstMasksOf(await ask());
      this.at = 0.5;
      notice("Left of the line: the masks as they were first made. Right of it: as they are now.");
    } catch (error) {
      notice(error instanceof Error ? error.message : "The earlier masks could not be loaded.");
    }
    this.asking = false;
    changed();
  }

  move(at: number): void {
    this.at = clamp(at, 0, 1);
    this.options.changed();
  }
}

function firstMasksOf(records: readonly MaskRecord[]): FirstMask[] {
  const corrections = new Map(records.flatMap(({ id, parent }) => (parent === null ? [] : [[parent, id] as const])));
  const known = new Set(records.map((record) => record.id));
  const lastOf = (id: string): string => {
    const next = corrections.get(id);
    return next === undefined ? id : lastOf(next);
  };
  return records
    .filter(({ parent }) => parent === null || !known.has(parent))
    .map(({ id, segmentation }) => ({ id, patch: decodePatch(segmentation), last: lastOf(id) }));
}
