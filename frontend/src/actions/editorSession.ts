import { api } from "../api/endpoints";
import { sleep } from "../api/sleep";
import type { ActiveClock } from "../core/clock";
import { Emitter } from "../core/emitter";
import { History, type Replayed } from "../core/history";
import { type KeptLayout, MaskLayout } from "../core/layout";
import { type MaskItem, MaskStore } from "../core/maskStore";
import { patchBox } from "../core/patch";
import type { PreferenceStore } from "../core/preferences";
import { uuidFrom } from "../core/uuid";
import { zoomToBox } from "../core/viewport";
import type { Readiness } from "../segmenter/segmenter";
import { preferencesOf } from "../storage/preferences";
import type { Tool } from "../tools/tool";
import { Alike } from "./alike";
import type { CorrectionOptions } from "./corrections";
import { Drafting } from "./drafting";
import { KeptDraft } from "./keptDraft";
import { KeyCursor } from "./keyCursor";
import { LiveChanges } from "./liveChanges";
import { MaskActions } from "./maskActions";
import { MaskSync } from "./maskSync";
import { OwnValues } from "./ownValues";
import { PixelWork } from "./pixelWork";
import { Proposals } from "./proposals";
import { draftFromItem, firstMasks } from "./records";
import { type ReviewWork, reviewOf } from "./reviewWork";
import { Selection } from "./selection";
import type { SessionOptions } from "./sessionOptions";
import { SplitView } from "./splitView";
import { TaskFlow } from "./taskFlow";
import { createTools, type ToolId } from "./toolbox";
import { ToolHand } from "./toolHand";
import { WorkTime } from "./workTime";

export type { SessionOptions } from "./sessionOptions";
export type { ToolId } from "./toolbox";

/**
 * One image being worked on: all editor state outside React. Components subscribe to `changed` and read the fields;
 * commands and tools call the methods.
 */
export class EditorSession extends ToolHand {
  /** Sentences for the person; also read out by screen readers. */
  readonly notices = new Emitter<string>();
  readonly store = new MaskStore();
  readonly history = new History(this.store);
  readonly flow: TaskFlow;
  readonly layout: MaskLayout;
  readonly masks: MaskActions;
  readonly live: LiveChanges;
  readonly drafting: Drafting;
  readonly pixels: PixelWork;
  readonly proposals: Proposals;
  readonly alike: Alike;
  readonly cursor: KeyCursor;
  readonly split: SplitView;
  /** Where the image is here to be reviewed, or has come back from it. */
  readonly review: ReviewWork | null;
  readonly preferences: PreferenceStore;
  readiness: Readiness = { state: "pending", message: "Preparing this image", progress: null };
  tool: Tool;
  /** What a deep picture holds beyond the 8 bits that are stored for showing. */
  readonly values: OwnValues;
  allHidden = false;
  private readonly chosen = new Selection(this.store, () => this.touch());
  private opened = false;
  private touched = false;
  readonly sync: MaskSync;
  readonly keptDraft: KeptDraft;
  protected readonly tools: Record<ToolId, Tool>;
  private readonly stop = new AbortController();
  private readonly time: WorkTime;
  private readonly offs: (() => void)[];
  private readonly offStore: () => void;
  /** An id for a new mask. */
  readonly newId = () => uuidFrom(crypto.getRandomValues(new Uint8Array(16)));

  constructor(readonly options: SessionOptions) {
    const { image } = options;
    super({ width: image.width, height: image.height }, options.timings);
    this.flow = new TaskFlow({
      imageId: image.id,
      me: options.user.username,
      changed: () => this.touch(),
      taken: (task) => this.live.takenUp(task.kind),
      seconds: () => this.time.untold,
      told: (seconds) => {
        this.time.tell(seconds);
        this.keepVisit();
      },
    });
    this.time = new WorkTime(options.visit?.seconds ?? 0);
    this.store.setMasks(firstMasks(options.loaded.masks, options.journal, image.id, options.user.username), "remote");
    const { video } = options;
    const trackStyle = video && ((track: string) => video.styleOf(track));
    this.layout = new MaskLayout(this.store, options.visit?.layout ?? null, trackStyle);
    // Whoever audits or reviews an image was asked to correct what the machine made.
    if (options.task?.kind === "audit" || options.task?.kind === "review")
      this.layout.setLocked([...this.layout.locked], false);
    this.preferences = preferencesOf(options.user.id);
    const corrections = this.corrections();
    this.masks = new MaskActions(this, corrections);
    const work = {
      ...corrections,
      history: this.history,
      segmenter: options.segmenter,
      imageId: image.id,
      size: this.size,
      changed: () => this.touch(),
      notice: (message: string) => this.notices.emit(message),
    };
    const exclusive = () => this.preferences.current.exclusive;
    this.drafting = new Drafting({ ...work, timings: options.timings, exclusive });
    this.pixels = new PixelWork(this, corrections);
    const seconds = () => this.time.takeMask();
    this.proposals = new Proposals({ ...work, model: () => this.drafting.model, seconds });
    const wait = (milliseconds: number) => sleep(milliseconds, this.stop.signal);
    this.alike = new Alike({ ...work, dataset: image.dataset, server: api, proposals: this.proposals, wait });
    this.cursor = new KeyCursor(this);
    this.split = new SplitView({ ...work, ask: () => api.maskVersions(image.id) });
    this.review = reviewOf(this, options.task);
    this.sync = new MaskSync({
      store: this.store,
      journal: options.journal,
      imageId: image.id,
      taskId: () => this.flow.taskId,
      newId: this.newId,
      onError: () =>
        this.notices.emit("This browser could not store the mask: keep this page open until all is saved."),
    });
    this.keptDraft = new KeptDraft({
      ...{ store: this.store, drafts: options.drafts, userId: options.user.id, imageId: image.id },
      serverId: (id) => this.serverId(id),
    });
    this.live = new LiveChanges({
      imageId: image.id,
      me: options.user.username,
      store: this.store,
      journal: options.journal,
      sync: this.sync,
      ask: api.changes,
      onHolder: (task) => this.flow.observe(task),
      onConnection: () => this.touch(),
      notice: work.notice,
    });
    this.values = new OwnValues({
      offered: image.values_url !== null,
      ask: (again, signal) => api.values(image.id, again, signal),
      changed: () => this.touch(),
    });
    this.tools = createTools(this);
    this.tool = this.tools.click;
    this.offs = this.listen();
    this.offStore = this.listenToStore();
  }

  /** Claims the task, brings back a half-made mask, and waits until the model can answer. */
  async open(): Promise<void> {
    const { options, stop } = this;
    if (options.video) this.offs.push(options.video.attach(this));
    void this.restoreDraft();
    this.live.start(options.loaded);
    if (options.mayEdit) void this.flow.open(options.task);
    else this.flow.readOnly("You may look at this dataset, not change it.");
    void this.review?.load();
    const opened = performance.now();
    const report = (readiness: Readiness) => {
      this.readiness = readiness;
      if (readiness.state === "ready") {
        options.timings.embeddingWait.add(performance.now() - opened);
        this.drafting.setReady(readiness.model);
      }
      this.touch();
    };
    try {
      await options.segmenter.prepare(options.image.id, report, stop.signal);
    } catch (error) {
      report({ state: "failed", message: error instanceof Error ? error.message : "The model could not be loaded." });
    }
  }

  /** While server and model are asked; a mask that was begun meanwhile is not overwritten. */
  private async restoreDraft(): Promise<void> {
    const draft = await this.keptDraft.read();
    if (!draft || this.stop.signal.aborted || !this.drafting.empty) return;
    this.store.setDraft(draft, "remote");
    this.touched = true;
  }

  close(): void {
    this.stop.abort();
    for (const off of this.offs) off();
    this.alike.forget();
    this.proposals.reset();
    this.live.close();
    this.drafting.close(() => {
      this.offStore();
      this.sync.close();
    });
    this.values.close();
    this.leave();
    this.layout.close();
  }

  /** The page goes for good, without time for anything else: what was only looked at is given back. */
  leave(): void {
    this.flow.close(!this.touched);
    this.keepVisit();
  }

  /** The page is hidden or shown again: the clock stops, and what others did meanwhile is asked for. */
  setHidden(hidden: boolean): void {
    this.clock.setHidden(hidden);
    this.live.setHidden(hidden);
    if (hidden) this.keepVisit();
  }

  /** Active seconds since the last mask was accepted here. */
  get secondsOnMask(): number {
    return this.time.onMask;
  }

  get clock(): ActiveClock {
    return this.time.clock;
  }

  /** The id under which the server knows a mask. */
  serverId(id: string): string {
    return this.sync.serverId(id);
  }

  get hidden(): ReadonlySet<string> {
    return this.layout.hidden;
  }

  /** Whether this person may change masks now. */
  get editable(): boolean {
    return this.flow.hold.kind === "held" || this.flow.hold.kind === "offline";
  }

  get selectedId(): string | null {
    return this.chosen.first;
  }

  /** Selected beside `selectedId`, for what works on several masks. */
  get alsoSelected(): ReadonlySet<string> {
    return this.chosen.others;
  }

  get selected(): MaskItem | null {
    return this.selectedId ? this.store.mask(this.selectedId) : null;
  }

  /** Every selected mask that still counts, the one shown in detail first. */
  get selection(): MaskItem[] {
    return this.chosen.items;
  }

  /** A frame was painted, in so many milliseconds: the times that people feel end here. */
  painted(milliseconds: number, withPicture: boolean): void {
    const { timings, next } = this.options;
    const now = performance.now();
    this.measure(milliseconds, now, this.drafting.answered);
    if (this.opened || !withPicture || this.readiness.state !== "ready" || !this.editable) return;
    this.opened = true;
    const since = next.finish(now);
    if (since !== null) timings.nextImage.add(since);
  }

  select(id: string | null): void {
    this.chosen.set(id);
  }

  /** Adds a mask to the selection, or takes it out again. */
  alsoSelect(id: string | null): void {
    if (id !== null) this.chosen.toggle(id);
  }

  /** Keeps the selection on masks that got a new version: from the old id to the new one, or to null. */
  reselect(versions: ReadonlyMap<string, string | null>): void {
    this.chosen.follow(versions);
  }

  toggleHidden(id: string): void {
    this.layout.setHidden(id, !this.hidden.has(id));
  }

  toggleAllHidden(): void {
    this.allHidden = !this.allHidden;
    this.touch();
  }

  /** Saves the mask in the making, as soon as the model has answered the last prompt. */
  accept(): void {
    if (!this.mayChange()) return;
    this.drafting.whenAnswered(() => {
      const id = this.drafting.accept(this.secondsOnMask);
      if (!id) return;
      this.time.takeMask();
      this.select(null);
      this.notices.emit(`Mask ${this.store.visible().length} accepted.`);
    });
  }

  /** Esc: first what a tool is doing, then the mask in the making, then the selection. */
  cancel(): void {
    if (this.tool.cancel()) {
      this.cursor.release();
      return;
    }
    if (this.alike.cancel() || this.proposals.cancel()) return;
    if (this.drafting.cancel()) return;
    if (this.selectedId) this.select(null);
  }

  /** Takes up a saved mask again: with further clicks when it came from clicks, else with the brush. */
  correct(id: string): void {
    const item = this.masks.changeable(id);
    if (!item) return;
    const draft = draftFromItem(item);
    this.drafting.reopen(draft);
    this.select(null);
    this.setTool(draft.edited ? "brush" : "click");
  }

  undo(): void {
    if (this.mayChange()) this.tell("Undone", this.history.undo(), "Nothing to undo.");
  }

  redo(): void {
    if (this.mayChange()) this.tell("Done again", this.history.redo(), "Nothing to redo.");
  }

  private tell(done: string, replayed: Replayed | null, nothing: string): void {
    const { label, changed } = replayed ?? { label: null, changed: false };
    if (changed) this.notices.emit(`${done}: ${label}`);
    else this.notices.emit(label ? `${label}: it stays as it is, since it was changed by others meanwhile.` : nothing);
    this.touch();
  }

  showMask(id: string): void {
    const item = this.store.mask(id);
    if (item) this.setView(zoomToBox(patchBox(item.patch), this.canvas));
  }

  /** Keeps layout and active time for the next visit, whenever that is. */
  keepVisit(): void {
    const { visits, user, image } = this.options;
    const layout: KeptLayout = this.layout.keep();
    const visit = { layout, seconds: this.time.untold, at: Date.now() };
    visits.set(user.id, image.id, visit).catch(() => undefined);
  }

  /** Whether masks may be changed now; if not, the person is told why. */
  mayChange(): boolean {
    if (this.options.video?.settle()) {
      this.notices.emit("One moment: this frame is being opened.");
      return false;
    }
    if (this.editable) return true;
    const { hold } = this.flow;
    this.notices.emit("message" in hold ? hold.message : "One moment: this image is being taken up for you.");
    return false;
  }

  protected putDown(): void {
    this.drafting.hover(null);
    this.cursor.release();
    this.proposals.pointAt(null);
  }

  private corrections(): CorrectionOptions {
    const { stage, user } = this.options;
    const locked = (id: string) => this.layout.locked.has(id);
    return { store: this.store, stage, author: user.username, newId: this.newId, locked };
  }

  private listenToStore(): () => void {
    return this.store.changed.on((set) => {
      if (set.origin === "local") this.touched = true;
      this.keptDraft.follow(set);
      if (this.selectedId && !this.selected) this.select(null);
      this.touch();
    });
  }

  private listen(): (() => void)[] {
    const touch = () => this.touch();
    return [
      this.layout.changed.on(() => {
        this.keepVisit();
        this.touch();
      }),
      this.options.view.changed.on(touch),
      this.preferences.changed.on(touch),
    ];
  }
}
