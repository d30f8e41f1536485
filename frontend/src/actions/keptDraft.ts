import { type Draft, EMPTY_DRAFT, isEmptyDraft } from "../core/draft";
import type { ChangeSet, MaskStore } from "../core/maskStore";
import type { DraftStore } from "../storage/database";

export interface KeptDraftOptions {
  readonly store: MaskStore;
  readonly drafts: DraftStore;
  readonly userId: number;
  readonly imageId: number;
  /** The name that a mask has on the server: the one that it has here alone ends with the session. */
  readonly serverId: (id: string) => string;
}

/** The half-made mask of an image as this browser keeps it, so that a reload or the next visit goes on with it. */
export class KeptDraft {
  constructor(private readonly options: KeptDraftOptions) {}

  /** What the last visit left half-made. */
  async read(): Promise<Draft | null> {
    const { drafts, userId, imageId } = this.options;
    const draft = await drafts.get(userId, imageId).catch(() => null);
    return draft && !isEmptyDraft(draft) ? draft : null;
  }

  /** Keeps the draft after it, or the mask that it corrects, has changed here. */
  follow(set: ChangeSet): void {
    const { parent } = this.options.store.draft;
    if (set.origin !== "local") return;
    if (set.changes.some((change) => change.kind === "draft" || change.id === parent)) this.keep();
  }

  async forget(): Promise<void> {
    await this.options.drafts.set(this.options.userId, this.options.imageId, null);
  }

  private keep(): void {
    const { drafts, store, userId, imageId, serverId } = this.options;
    const { draft } = store;
    const parent = draft.parent === null ? null : serverId(draft.parent);
    const kept = isEmptyDraft(draft) ? null : { ...EMPTY_DRAFT, ...draft, parent };
    // A half-made mask that cannot be stored is still on the screen; accepting it will say that the disk is full.
    drafts.set(userId, imageId, kept).catch(() => undefined);
  }
}
