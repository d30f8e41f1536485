import { api } from "../api/endpoints";
import type { ReviewItem, ReviewRound, ReviewSaid, Task } from "../api/types";
import type { ImagePoint } from "../core/geometry";
import type { Patch } from "../core/patch";
import { subtract } from "../core/pixels";
import { decodePatch, encodePatch } from "../core/rle";
import { Machine, type Tool, toolOf } from "../tools/tool";
import type { EditorSession } from "./editorSession";

/** Pixels by which a mask is wrong: those that are to come and those that are to go. */
export interface Wrong {
  readonly missing: Patch;
  readonly surplus: Patch;
}

export interface ReviewCalls {
  readonly ask: (task: number) => Promise<ReviewRound>;
  readonly decide: (task: number, item: number, said: ReviewSaid) => Promise<ReviewItem>;
  readonly remark: (task: number, said: ReviewSaid) => Promise<ReviewItem>;
}

/** Review of one image: what is said of each mask, and for whoever answers it what came back and where it is wrong. */
export class ReviewWork {
  items: readonly ReviewItem[] = [];
  earlier: readonly ReviewItem[] = [];
  loaded = false;
  /** Where the next comment is pinned. */
  pin: ImagePoint | null = null;
  pinning = false;
  busy = false;
  private readonly patches = new Map<number, Patch | null>();

  constructor(
    private readonly session: EditorSession,
    readonly task: number,
    /** `review`: says something of the masks; `returned`: answers what was said. */
    readonly kind: "review" | "returned",
    private readonly calls: ReviewCalls,
  ) {}

  async load(): Promise<void> {
    try {
      const { items, earlier } = await this.calls.ask(this.task);
      this.items = items;
      this.earlier = earlier;
      this.loaded = true;
    } catch {
      this.session.notices.emit("What was said in the review could not be loaded. Reload the page to try again.");
    }
    this.session.touch();
  }

  /** What is said of a mask, by its id here or the one it corrects. */
  itemOf(id: string): ReviewItem | null {
    for (let mask = this.session.store.mask(id); mask; ) {
      const name = this.session.serverId(mask.id);
      const item = this.items.find((one) => one.mask === name);
      if (item) return item;
      mask = mask.parent === null ? null : this.session.store.mask(mask.parent);
    }
    return null;
  }

  /** The mask here that an item is about, as it was reviewed; null once it is deleted or unknown. */
  maskOf(item: ReviewItem): string | null {
    const found = [...this.session.store.current.masks.values()].find(
      (mask) => this.session.serverId(mask.id) === item.mask,
    );
    return found?.id ?? null;
  }

  /** Whether somebody has changed the mask since it was reviewed. */
  answered(item: ReviewItem): boolean {
    if (item.mask === null) return false;
    const id = this.maskOf(item);
    const mask = id === null ? null : this.session.store.mask(id);
    return mask === null || (mask.status !== "accepted" && mask.status !== "proposed");
  }

  /** The pixels by which a mask differs from what the reviewer wants; null where nothing was drawn. */
  wrongOf(item: ReviewItem): Wrong | null {
    const wish = this.suggested(item);
    if (!wish || this.answered(item)) return null;
    const id = this.maskOf(item);
    const mask = id === null ? null : this.session.store.mask(id);
    if (!mask) return item.mask === null ? { missing: wish, surplus: subtract(wish, wish) } : null;
    return { missing: subtract(wish, mask.patch), surplus: subtract(mask.patch, wish) };
  }

  /** The same of the correction in the making: what it adds and what it takes away. */
  wrongOfDraft(): Wrong | null {
    const { draft } = this.session.store;
    const made = this.session.drafting.patch;
    const before = draft.parent === null ? null : this.session.store.mask(draft.parent);
    if (!made || !before) return null;
    return { missing: subtract(made, before.patch), surplus: subtract(before.patch, made) };
  }

  /** A click on the picture sets the pin. */
  startPin(): void {
    this.pinning = true;
    this.session.takeTool(pinTool(this.session, (at) => this.setPin(at)));
    this.session.notices.emit("Click the place that the comment is about.");
  }

  setPin(at: ImagePoint | null): void {
    this.pin = at;
    if (!this.pinning) return;
    this.pinning = false;
    this.session.setTool("select");
  }

  /** Says something of a mask; a correction in the making goes along with a return, and is then given up. */
  async say(item: ReviewItem, said: Pick<ReviewSaid, "verdict" | "reason" | "comment">): Promise<boolean> {
    const shape = said.verdict === "returned" ? this.suggestionFor(item) : null;
    const place = this.pin ?? (item.x === null || item.y === null ? null : { x: item.x, y: item.y });
    const body = { ...said, x: place?.x ?? null, y: place?.y ?? null, suggestion: shape ?? item.suggestion };
    return this.send(() => this.calls.decide(this.task, item.id, body), shape !== null);
  }

  /** Returns the image for something without a mask, at the pin. A mask in the making shows what is meant. */
  async remark(comment: string): Promise<boolean> {
    const made = this.session.store.draft.parent === null ? this.session.drafting.patch : null;
    const suggestion = made && this.encoded(made);
    const body = { verdict: "returned" as const, comment, x: this.pin?.x ?? null, y: this.pin?.y ?? null, suggestion };
    return this.send(() => this.calls.remark(this.task, body), suggestion !== null);
  }

  private async send(call: () => Promise<ReviewItem>, usedDraft: boolean): Promise<boolean> {
    this.busy = true;
    this.session.touch();
    try {
      const told = await call();
      this.patches.delete(told.id);
      const known = this.items.some((one) => one.id === told.id);
      this.items = known ? this.items.map((one) => (one.id === told.id ? told : one)) : [...this.items, told];
      this.pin = null;
      if (usedDraft) this.session.drafting.cancel();
      return true;
    } catch (error) {
      this.session.notices.emit(error instanceof Error ? error.message : "That could not be said.");
      return false;
    } finally {
      this.busy = false;
      this.session.touch();
    }
  }

  /** The correction in the making of this very mask. */
  private suggestionFor(item: ReviewItem): ReviewItem["suggestion"] {
    const { draft } = this.session.store;
    const made = this.session.drafting.patch;
    if (!made || draft.parent === null || this.session.serverId(draft.parent) !== item.mask) return null;
    return this.encoded(made);
  }

  private encoded(patch: Patch): NonNullable<ReviewItem["suggestion"]> {
    const { height, width } = this.session.size;
    return { size: [height, width], counts: encodePatch(patch, [height, width]).counts };
  }

  private suggested(item: ReviewItem): Patch | null {
    const known = this.patches.get(item.id);
    if (known !== undefined) return known;
    const made = item.suggestion && decodePatch(item.suggestion);
    this.patches.set(item.id, made);
    return made;
  }
}

/** The review that a task is about; null for other work. */
export function reviewOf(session: EditorSession, task: Task | null): ReviewWork | null {
  if (task?.kind !== "review" && task?.kind !== "returned") return null;
  const calls = { ask: api.taskReview, decide: api.decideReview, remark: api.remarkReview };
  return new ReviewWork(session, task.id, task.kind, calls);
}

/** For one click: where a comment belongs. */
function pinTool(session: EditorSession, set: (at: ImagePoint | null) => void): Tool {
  const machine = new Machine<"idle">("idle", {
    idle: {
      down: (pointer) => {
        if (pointer?.inside) set(pointer.image);
        return "idle";
      },
      cancel: () => {
        set(session.review?.pin ?? null);
        return "idle";
      },
    },
  });
  return toolOf("pin", machine, { cursor: "crosshair" });
}
