import type { MaskItem } from "../core/maskStore";
import { grow, shrink, smooth } from "../core/morphology";
import { EMPTY_PATCH, type Patch } from "../core/patch";
import { samePixels, union } from "../core/pixels";
import { countParts, fillHoles, parts, removeIslands } from "../core/regions";
import { type CorrectionOptions, type CutOut, corrected, cutOutOfOthers, replacePixels, without } from "./corrections";
import type { EditorSession } from "./editorSession";

/** More parts than this are speckles, not objects. */
const MOST_PARTS = 50;

/**
 * Operations on the pixels of the mask in the making or, when there is none, of the selected masks, which they correct
 * at once. Each is one gesture for undo.
 */
export class PixelWork {
  constructor(
    private readonly session: EditorSession,
    private readonly options: CorrectionOptions,
  ) {}

  /** Whether there is something to work on. */
  get possible(): boolean {
    return this.session.drafting.patch !== null || this.session.selection.length > 0;
  }

  fillHoles(): void {
    this.each("Fill holes", (patch) => fillHoles(patch), "There are no holes to fill.");
  }

  removeIslands(): void {
    const { smallestPart } = this.preferences;
    const none = `There are no islands of fewer than ${smallestPart} pixels.`;
    this.each("Remove islands", (patch) => removeIslands(patch, smallestPart), none);
  }

  smooth(): void {
    this.each(
      "Smooth the edge",
      (patch) => smooth(patch, this.preferences.smoothBy, this.session.size),
      "It is smooth.",
    );
  }

  grow(): void {
    this.each("Grow", (patch) => grow(patch, this.preferences.growBy, this.session.size), "It fills the picture.");
  }

  /** A mask that would vanish stays as it is: deleting is another command. */
  shrink(): void {
    const work = (patch: Patch) => {
      const left = shrink(patch, this.preferences.growBy, this.session.size);
      return left.width > 0 ? left : patch;
    };
    this.each("Shrink", work, "It is too thin to shrink further.");
  }

  /** Takes the mask's pixels out of all other accepted masks. */
  cutOutOfOthers(): void {
    this.run(() => {
      const { drafting, selection, history } = this.session;
      const patch = drafting.patch ?? selection.map((item) => item.patch).reduce(union, EMPTY_PATCH);
      const except = new Set([...selection.map((item) => item.id), drafting.draft.parent ?? ""]);
      return cutWords(history.gesture("Cut out of the others", () => cutOutOfOthers(patch, except, this.options)));
    });
  }

  /** Takes the pixels of all other masks away from the mask. */
  takeOthersAway(): void {
    const chosen = new Set(this.session.selection.map((item) => item.id));
    const work = (patch: Patch) => {
      const left = without(patch, this.session.store, (item) => this.isOther(item, chosen));
      return left.width > 0 ? left : patch;
    };
    this.each("Take the others away", work, "It shares no pixels, or would have none left.");
  }

  /** Makes every part of a mask a mask of its own; the largest part is the correction of it. */
  split(): void {
    this.run(() => {
      const { session, options } = this;
      const item = this.open()[0];
      if (!item) return "Select a mask that is not locked; one in the making has to be accepted first.";
      const count = countParts(item.patch);
      if (count < 2) return "This mask has one part only.";
      if (count > MOST_PARTS) return `This mask has ${count} parts. Remove its islands first.`;
      const [largest = EMPTY_PATCH, ...others] = parts(item.patch);
      const kept = session.history.gesture("Split", () => {
        const id = replacePixels(item, largest, options);
        session.sync.needing(id, () => {
          for (const part of others) {
            const one = { ...corrected(item, part, options), parent: null, track: null };
            session.store.setMask(one.id, one);
          }
        });
        return id;
      });
      session.select(kept);
      return `Split into ${count} masks.`;
    });
  }

  /** Makes one mask of the selected ones: the largest is corrected, the others are deleted. */
  merge(): void {
    this.run(() => {
      const { session, options } = this;
      const [largest, ...others] = this.open().toSorted((a, b) => b.area - a.area);
      if (!largest || others.length === 0) {
        return "Select two masks or more that are not locked: Shift + click with the select tool, or in the list.";
      }
      const all = others.map((item) => item.patch).reduce(union, largest.patch);
      const kept = session.history.gesture("Merge", () => {
        const id = replacePixels(largest, all, options);
        session.sync.needing(id, () => {
          for (const item of others) session.store.setMask(item.id, { ...item, status: "deleted" });
        });
        return id;
      });
      session.select(kept);
      return `${others.length + 1} masks merged.`;
    });
  }

  private get preferences() {
    return this.session.preferences.current;
  }

  /** The selected masks that may be changed. */
  private open(): MaskItem[] {
    return this.session.selection.filter((item) => !this.options.locked(item.id));
  }

  private isOther(item: MaskItem, chosen: ReadonlySet<string>): boolean {
    return !chosen.has(item.id) && item.id !== this.session.drafting.draft.parent;
  }

  /** Runs an operation where masks may be changed, and says what came of it. */
  private run(work: () => string): void {
    if (!this.session.mayChange()) return;
    this.session.notices.emit(work());
    this.session.touch();
  }

  private each(label: string, work: (patch: Patch) => Patch, unchanged: string): void {
    this.run(() => {
      const { session } = this;
      if (!session.drafting.empty) return session.drafting.rework(label, work) ? `${label}: done.` : unchanged;
      const open = this.open();
      if (open.length === 0) return "Select a mask that is not locked, or start one.";
      const made = open.flatMap((item) => {
        const patch = work(item.patch);
        return samePixels(item.patch, patch) ? [] : [{ item, patch }];
      });
      if (made.length === 0) return unchanged;
      const ids = session.history.gesture(label, () =>
        made.map(({ item, patch }) => [item.id, replacePixels(item, patch, this.options)] as const),
      );
      session.reselect(new Map(ids));
      return `${label}: done.`;
    });
  }
}

function cutWords({ cut, proposals }: CutOut): string {
  const none = proposals === 0 ? "No other mask shares its pixels" : "No accepted mask shares its pixels";
  const done = cut === 0 ? none : `Cut out of ${cut} other ${cut === 1 ? "mask" : "masks"}`;
  if (proposals === 0) return `${done}.`;
  return `${done}; ${proposals === 1 ? "1 proposal is" : `${proposals} proposals are`} left as before.`;
}
