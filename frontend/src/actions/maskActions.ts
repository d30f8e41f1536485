import { EMPTY_DRAFT } from "../core/draft";
import type { MaskItem } from "../core/maskStore";
import { samePixels, subtract } from "../core/pixels";
import { type CorrectionOptions, corrected } from "./corrections";
import type { EditorSession } from "./editorSession";

/** What a person does to saved masks, besides drawing them. Each is one gesture for undo. */
export class MaskActions {
  constructor(
    private readonly session: EditorSession,
    private readonly options: CorrectionOptions,
  ) {}

  delete(id: string): void {
    const item = this.changeable(id);
    if (!item) return;
    const { session } = this;
    session.history.gesture("Delete mask", () => this.bin(item));
    if (session.selectedId === id) session.select(null);
    session.notices.emit("Mask deleted. Ctrl+Z brings it back.");
  }

  restore(id: string): void {
    const { session } = this;
    const item = session.store.mask(id);
    if (!item || !session.mayChange()) return;
    session.history.gesture("Restore mask", () => session.store.setMask(id, { ...item, status: "accepted" }));
  }

  /** A new name is a new version of the mask, as any correction. */
  setCategory(id: string, category: string): void {
    const item = this.session.store.mask(id);
    if (!item || item.category === category) return;
    const known = this.changeable(id);
    if (known) this.supersede("Change category", [known], (one) => ({ ...one, category }));
  }

  /**
   * Takes proposals over as they are: from then on they are this person's masks. Where masks may not overlap they yield to
   * accepted ones, and one that has no pixels left stays a proposal. How many were kept.
   */
  keep(ids: readonly string[]): number {
    const { session } = this;
    if (!session.mayChange()) return 0;
    const items = ids.flatMap((id) => {
      const item = session.store.mask(id);
      return item?.status === "proposed" ? [item] : [];
    });
    const apart = session.preferences.current.exclusive ? this.apart(items) : null;
    const kept = apart ? items.filter((item) => apart.has(item.id)) : items;
    const label = kept.length === 1 ? "Keep proposal" : `Keep ${kept.length} proposals`;
    if (kept.length > 0) this.supersede(label, kept, (one) => apart?.get(one.id) ?? one);
    if (items.length > 0) session.notices.emit(keptWords(kept.length, items.length - kept.length));
    return kept.length;
  }

  /** Waves proposals away: nobody's masks, so the lock on them does not count. */
  dismiss(ids: readonly string[]): void {
    const { session } = this;
    if (!session.mayChange()) return;
    const items = ids.flatMap((id) => session.store.mask(id) ?? []).filter((item) => item.status === "proposed");
    session.history.gesture(`Discard ${items.length} proposals`, () => {
      for (const item of items) this.bin(item);
    });
    if (items.length > 0) session.notices.emit("Proposals discarded. Ctrl+Z brings them back.");
  }

  /** Brings the pixels and the name of an earlier version back, as a new version. */
  restoreVersion(id: string, version: MaskItem): void {
    const item = this.changeable(id);
    if (!item) return;
    const { segmentation, patch, area, category, source, predictedIou, stability, prompts, model } = version;
    const old = { segmentation, patch, area, category, source, predictedIou, stability, prompts, model };
    this.supersede("Restore older version", [item], (one) => ({ ...one, ...old, candidates: [], chosen: null }));
    this.session.notices.emit("The older version is current again.");
  }

  /** A second mask with the same pixels. */
  duplicate(id: string): void {
    const { session } = this;
    const item = session.store.mask(id);
    if (!item || !session.mayChange()) return;
    const copy = this.mine({ ...item, parent: null, track: null });
    session.history.gesture("Duplicate mask", () => session.store.setMask(copy.id, copy));
    session.select(copy.id);
    session.notices.emit("Mask duplicated.");
  }

  setLocked(ids: readonly string[], locked: boolean): void {
    const { session } = this;
    if (ids.length === 0) return;
    session.layout.setLocked(ids, locked);
    const what = ids.length === 1 ? "Mask" : `${ids.length} masks`;
    session.notices.emit(`${what} ${locked ? "locked" : "unlocked"}.`);
  }

  /** Moves a mask in the list and among the others on the picture: +1 up, -1 down. */
  move(id: string, step: 1 | -1): void {
    const { session } = this;
    if (!session.layout.move(id, step)) {
      session.notices.emit(step > 0 ? "This mask is the uppermost." : "This mask is the lowest.");
      return;
    }
    const list = session.layout.listed();
    const place = list.length - list.findIndex((item) => item.id === id);
    session.notices.emit(`Now ${place} of ${list.length}.`);
  }

  /** The mask, if this person may change it now; else null, and the person was told why. */
  changeable(id: string): MaskItem | null {
    const { session } = this;
    const item = session.store.mask(id);
    if (!item || !session.mayChange()) return null;
    if (!session.layout.locked.has(id)) return item;
    session.notices.emit("This mask is locked. Unlock it (Shift+L) to change it.");
    return null;
  }

  /** Into the bin, and a correction in the making with it. */
  private bin(item: MaskItem): void {
    const { store } = this.session;
    store.setMask(item.id, { ...item, status: "deleted" });
    if (store.draft.parent === item.id) store.setDraft(EMPTY_DRAFT);
  }

  /** Proposals, by id, without the pixels of accepted masks and of the proposals before them; those that have any left. */
  private apart(items: readonly MaskItem[]): ReadonlyMap<string, MaskItem> {
    const accepted = this.session.store.visible().filter((item) => item.status === "accepted");
    const taken = accepted.map((item) => item.patch);
    const left = new Map<string, MaskItem>();
    for (const item of items) {
      const patch = taken.reduce(subtract, item.patch);
      if (patch.width === 0) continue;
      taken.push(patch);
      left.set(item.id, samePixels(patch, item.patch) ? item : corrected(item, patch, this.options));
    }
    return left;
  }

  private supersede(label: string, items: readonly MaskItem[], change: (item: MaskItem) => MaskItem): void {
    const { session } = this;
    const successors = items.map((item) => this.mine({ ...change(item), parent: item.id }));
    session.history.gesture(label, () => {
      items.forEach((item, at) => {
        const next = successors[at];
        session.store.setMask(item.id, { ...item, status: "superseded" });
        if (!next) return;
        session.store.setMask(next.id, next);
        const { draft } = session.store; // a correction in the making is one of the new version from now on
        if (draft.parent === item.id) session.store.setDraft({ ...draft, parent: next.id });
      });
    });
    if (items.some((item) => item.id === session.selectedId)) session.select(successors[0]?.id ?? null);
  }

  /** A new version by this person, which took no time to draw. */
  private mine(item: MaskItem): MaskItem {
    const createdBy = this.session.options.user.username;
    return { ...item, id: this.session.newId(), status: "accepted", createdBy, seconds: 0 };
  }
}

function keptWords(kept: number, undecided: number): string {
  const done = kept === 0 ? [] : [kept === 1 ? "Proposal kept." : `${kept} proposals kept.`];
  if (undecided === 0) return done.join("");
  const left = undecided === 1 ? "1 proposal stays" : `${undecided} proposals stay`;
  return [...done, `${left} undecided: other masks hold all of the pixels.`].join(" ");
}
