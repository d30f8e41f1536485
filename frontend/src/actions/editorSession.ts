import type { ImageRecord, MaskRecord, Task, User } from "../api/types";
import { ActiveClock } from "../core/clock";
import { EMPTY_DRAFT, isEmptyDraft } from "../core/draft";
import { Emitter } from "../core/emitter";
import { clamp, type ImagePoint, type ScreenPoint, type Size } from "../core/geometry";
import { History } from "../core/history";
import type { Journal } from "../core/journal";
import { Latency } from "../core/latency";
import { type MaskItem, MaskStore } from "../core/maskStore";
import { patchBox } from "../core/patch";
import { uuidFrom } from "../core/uuid";
import { fitImage, panBy, resized, type Viewport, zoomAt, zoomToBox } from "../core/viewport";
import type { Readiness, Segmenter } from "../segmenter/segmenter";
import type { DraftStore } from "../storage/database";
import type { Tool } from "../tools/tool";
import { Drafting } from "./drafting";
import { MaskSync } from "./maskSync";
import { draftFromItem, itemFromBody, itemFromRecord } from "./records";
import { TaskFlow } from "./taskFlow";
import { createTools, type ToolId } from "./toolbox";

export type { ToolId } from "./toolbox";

export interface SessionOptions {
  readonly image: ImageRecord;
  readonly masks: readonly MaskRecord[];
  readonly stage: string;
  readonly user: User;
  readonly task: Task | null;
  readonly mayEdit: boolean;
  readonly segmenter: Segmenter;
  readonly journal: Journal;
  readonly drafts: DraftStore;
}

const newId = () => uuidFrom(crypto.getRandomValues(new Uint8Array(16)));

const BRUSH_SMALLEST = 1;
const BRUSH_LARGEST = 400;

/**
 * One image being worked on: all editor state outside React. Components subscribe to `changed` and read the fields;
 * commands and tools call the methods.
 */
export class EditorSession {
  readonly changed = new Emitter<void>();
  /** Sentences for the person; also read out by screen readers. */
  readonly notices = new Emitter<string>();
  readonly store = new MaskStore();
  readonly history = new History(this.store);
  readonly clock = new ActiveClock(() => performance.now());
  readonly decodes = new Latency();
  readonly flow: TaskFlow;
  readonly drafting: Drafting;
  readonly size: Size;
  version = 0;
  readiness: Readiness = { state: "pending", message: "Preparing this image", progress: null };
  tool: Tool;
  toolId: ToolId = "click";
  /** Touch has no second button: taps remove while this is set. */
  removing = false;
  brushRadius = 12;
  selectedId: string | null = null;
  hidden: ReadonlySet<string> = new Set();
  allHidden = false;
  view: Viewport;
  canvas: Size = { width: 1, height: 1 };
  strokePreview: { points: readonly ImagePoint[]; value: 0 | 1 } | null = null;
  /** Milliseconds from opening the image to being clickable. */
  readyAfter: number | null = null;
  private touched = false;
  private secondsAtLastMask = 0;
  private readonly sync: MaskSync;
  private readonly tools: Record<ToolId, Tool>;
  private readonly stop = new AbortController();
  private readonly offStore: () => void;

  constructor(readonly options: SessionOptions) {
    const { image } = options;
    this.size = { width: image.width, height: image.height };
    this.view = fitImage(this.size, this.canvas);
    this.flow = new TaskFlow(image.id, () => this.touch());
    this.loadMasks();
    this.drafting = new Drafting({
      store: this.store,
      history: this.history,
      segmenter: options.segmenter,
      imageId: image.id,
      size: this.size,
      stage: options.stage,
      author: options.user.username,
      decodes: this.decodes,
      changed: () => this.touch(),
      notice: (message) => this.notices.emit(message),
      newId,
    });
    this.sync = new MaskSync({
      store: this.store,
      journal: options.journal,
      imageId: image.id,
      taskId: () => this.flow.task?.id ?? null,
      newId,
      onError: () => this.notices.emit("This browser could not store the mask. Free some disk space and try again."),
    });
    for (const item of this.store.current.masks.values()) this.store.setMask(item.id, item, "remote");
    this.tools = createTools(this);
    this.tool = this.tools.click;
    this.offStore = this.store.changed.on((set) => {
      if (set.origin === "local") {
        this.touched = true;
        if (set.changes.some((change) => change.kind === "draft")) this.keepDraft();
      }
      this.touch();
    });
  }

  /** Claims the task, brings back a half-made mask, and waits until the model can answer. */
  async open(): Promise<void> {
    const { options, stop } = this;
    const draft = await options.drafts.get(options.user.id, options.image.id).catch(() => null);
    if (draft && !isEmptyDraft(draft) && !stop.signal.aborted) {
      this.store.setDraft(draft, "remote");
      this.touched = true;
    }
    if (options.mayEdit) void this.flow.open(options.task);
    else this.flow.hold = { kind: "reading", message: "You may look at this dataset, not change it." };
    const opened = performance.now();
    const report = (readiness: Readiness) => {
      this.readiness = readiness;
      if (readiness.state === "ready") this.readyAfter ??= performance.now() - opened;
      if (readiness.state === "ready") this.drafting.setReady(readiness.model);
      this.touch();
    };
    try {
      await options.segmenter.prepare(options.image.id, report, stop.signal);
    } catch (error) {
      report({ state: "failed", message: error instanceof Error ? error.message : "The model could not be loaded." });
    }
  }

  close(): void {
    this.stop.abort();
    this.offStore();
    this.sync.close();
    this.drafting.close();
    this.flow.close(!this.touched);
  }

  /** Whether this person may change masks now. */
  get editable(): boolean {
    return this.flow.hold.kind === "held" || this.flow.hold.kind === "offline";
  }

  get selected(): MaskItem | null {
    return this.selectedId ? this.store.mask(this.selectedId) : null;
  }

  touch(): void {
    this.version += 1;
    this.changed.emit();
  }

  setTool(id: ToolId): void {
    this.tool.cancel();
    this.drafting.hover(null);
    this.toolId = id;
    this.tool = this.tools[id];
    this.touch();
  }

  setRemoving(removing: boolean): void {
    this.removing = removing;
    this.touch();
  }

  growBrush(factor: number): void {
    this.brushRadius = clamp(this.brushRadius * factor, BRUSH_SMALLEST / 2, BRUSH_LARGEST);
    this.touch();
  }

  select(id: string | null): void {
    this.selectedId = id;
    this.touch();
  }

  toggleHidden(id: string): void {
    this.hidden = this.hidden.symmetricDifference(new Set([id]));
    this.touch();
  }

  toggleAllHidden(): void {
    this.allHidden = !this.allHidden;
    this.touch();
  }

  /** Saves the mask in the making, as soon as the model has answered the last prompt. */
  accept(): void {
    if (!this.mayChange()) return;
    this.drafting.whenAnswered(() => {
      const seconds = this.clock.seconds();
      const id = this.drafting.accept(Math.max(0, seconds - this.secondsAtLastMask));
      if (!id) return;
      this.secondsAtLastMask = seconds;
      this.selectedId = null;
      this.notices.emit(`Mask ${this.store.visible().length} accepted.`);
    });
  }

  /** Esc: first what a tool is doing, then the mask in the making, then the selection. */
  cancel(): void {
    if (this.tool.cancel()) return;
    if (this.drafting.cancel()) return;
    if (this.selectedId) this.select(null);
  }

  deleteMask(id: string): void {
    const item = this.store.mask(id);
    if (!item || !this.mayChange()) return;
    this.history.gesture("Delete mask", () => this.store.setMask(id, { ...item, status: "deleted" }));
    if (this.selectedId === id) this.selectedId = null;
    this.notices.emit("Mask deleted. Ctrl+Z brings it back.");
    this.touch();
  }

  restoreMask(id: string): void {
    const item = this.store.mask(id);
    if (!item || !this.mayChange()) return;
    this.history.gesture("Restore mask", () => this.store.setMask(id, { ...item, status: "accepted" }));
  }

  /** A new name is a new version of the mask, as any correction. */
  setCategory(id: string, category: string): void {
    const item = this.store.mask(id);
    if (!item || item.category === category || !this.mayChange()) return;
    const renamed: MaskItem = { ...item, id: newId(), parent: item.id, category, seconds: 0 };
    this.history.gesture("Change category", () => {
      this.store.setMask(item.id, { ...item, status: "superseded" });
      this.store.setMask(renamed.id, renamed);
    });
    this.select(renamed.id);
  }

  /** Takes up a saved mask again: with further clicks when it came from clicks, else with the brush. */
  correct(id: string): void {
    const item = this.store.mask(id);
    if (!item || !this.mayChange()) return;
    const draft = draftFromItem(item);
    this.drafting.reopen(draft);
    this.selectedId = null;
    this.setTool(draft.edited ? "brush" : "click");
  }

  undo(): void {
    const label = this.history.undo();
    this.notices.emit(label ? `Undone: ${label}` : "Nothing to undo.");
    this.touch();
  }

  redo(): void {
    const label = this.history.redo();
    this.notices.emit(label ? `Done again: ${label}` : "Nothing to redo.");
    this.touch();
  }

  setCanvas(canvas: Size): void {
    const first = this.canvas.width <= 1;
    this.view = first ? fitImage(this.size, canvas) : resized(this.view, this.canvas, canvas);
    this.canvas = canvas;
    this.touch();
  }

  zoom(at: ScreenPoint, factor: number): void {
    this.view = zoomAt(this.view, at, factor, this.size, this.canvas);
    this.touch();
  }

  pan(dx: number, dy: number): void {
    this.view = panBy(this.view, dx, dy, this.size, this.canvas);
    this.touch();
  }

  setView(view: Viewport): void {
    this.view = view;
    this.touch();
  }

  showMask(id: string): void {
    const item = this.store.mask(id);
    if (item) this.setView(zoomToBox(patchBox(item.patch), this.canvas));
  }

  /** Gives up the stored half-made mask, after the image was submitted or skipped. */
  async forgetDraft(): Promise<void> {
    await this.options.drafts.set(this.options.user.id, this.options.image.id, null);
  }

  /** Whether masks may be changed now; if not, the person is told why. */
  mayChange(): boolean {
    if (this.editable) return true;
    const { hold } = this.flow;
    this.notices.emit("message" in hold ? hold.message : "One moment: this image is being taken up for you.");
    return false;
  }

  private loadMasks(): void {
    const { options } = this;
    for (const record of options.masks) {
      if (record.status === "superseded") continue;
      const item = itemFromRecord(record);
      this.store.setMask(item.id, item, "remote");
    }
    // What the server does not know yet is still true here.
    for (const op of options.journal.pendingOf(options.image.id)) {
      const known = this.store.mask(op.maskId);
      if (op.kind === "put" && op.body) {
        const item = itemFromBody(op.maskId, op.body, options.user.username);
        if (item.parent) this.store.setMask(item.parent, null, "remote");
        this.store.setMask(item.id, item, "remote");
      } else if (known) {
        this.store.setMask(known.id, { ...known, status: op.kind === "delete" ? "deleted" : "accepted" }, "remote");
      }
    }
  }

  private keepDraft(): void {
    const { drafts, user, image } = this.options;
    const { draft } = this.store;
    const kept = isEmptyDraft(draft) ? null : { ...EMPTY_DRAFT, ...draft };
    // A half-made mask that cannot be stored is still on the screen; accepting it will say that the disk is full.
    drafts.set(user.id, image.id, kept).catch(() => undefined);
  }
}
