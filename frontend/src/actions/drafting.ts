import {
  type Draft,
  EMPTY_DRAFT,
  type Fed,
  isEmptyDraft,
  type PromptStep,
  promptRecord,
  stepsKey,
  withBox,
  withMask,
  withPoint,
  withPoints,
} from "../core/draft";
import type { Box, ImagePoint } from "../core/geometry";
import type { Timings } from "../core/latency";
import { isCurrent, type MaskItem } from "../core/maskStore";
import { Overtaken } from "../core/newestWins";
import { EMPTY_PATCH, type Patch, paintStroke, patchArea, type StrokePoint } from "../core/patch";
import { samePixels, subtract, union } from "../core/pixels";
import { encodePatch } from "../core/rle";
import { spreadPoints } from "../core/strokes";
import { bestOf, type Candidate, type Decoded } from "../segmenter/segmenter";
import { Answers } from "./answers";
import { cutOutOfOthers, fromModel, type ModelWorkOptions, without } from "./corrections";
import { HoverPreview } from "./hoverPreview";
import { candidateRecords } from "./records";

export interface DraftingOptions extends ModelWorkOptions {
  readonly timings: Timings;
  /** Whether masks may not share pixels. */
  readonly exclusive: () => boolean;
}

/** A scribble gives one point for each of this share of the image's longer side, but no more than four. */
const SCRIBBLE_SPACING = 0.05;
const SCRIBBLE_MOST = 4;

/** The mask in the making: prompts in, candidates out, brush on top, accepted or given up. */
export class Drafting {
  candidates: readonly Candidate[] = [];
  model = "";
  busy = false;
  ready = false;
  private readonly preview: HoverPreview;
  private readonly answers: Answers;
  private shownKey = "";
  /** Of an answer that is still being made: what will be shown first. */
  private early: Candidate | null = null;
  private onAnswer: (() => void) | null = null;
  private readonly off: () => void;

  constructor(private readonly options: DraftingOptions) {
    const { segmenter, imageId, timings, changed } = options;
    this.answers = new Answers({ segmenter, imageId, timings });
    const wanted = () => this.empty && this.ready;
    // A preview that was under way when the click came is its answer: it need not be asked for a second time.
    const answered = () => {
      if (this.busy) this.early ??= this.foretold(this.draft.steps);
      changed();
    };
    this.preview = new HoverPreview({ segmenter, imageId, timings, changed: answered, wanted });
    this.off = options.store.changed.on((set) => {
      if (!set.changes.some((change) => change.kind === "draft")) return;
      this.onAnswer = null;
      void this.refresh();
    });
  }

  /** Ends the work, then runs `ended`: at once, or after an accept that waits for the model's answer. */
  close(ended: () => void): void {
    const waiting = this.onAnswer;
    const end = () => {
      this.off();
      ended();
    };
    if (!waiting) end();
    else
      this.onAnswer = () => {
        waiting();
        end();
      };
  }

  get draft(): Draft {
    return this.options.store.draft;
  }

  /** Whether the mask on the screen is the answer to the last prompt. */
  get answered(): boolean {
    return !this.busy || this.early !== null;
  }

  get empty(): boolean {
    return isEmptyDraft(this.draft);
  }

  /** The candidate on the screen: the one picked, else the best. */
  get chosen(): Candidate | null {
    if (this.early && this.draft.chosen === null) return this.early;
    const picked = this.draft.chosen === null ? null : this.candidates[this.draft.chosen];
    return picked ?? bestOf(this.candidates);
  }

  /** The pixels that accepting would save. */
  get patch(): Patch | null {
    return this.draft.edited ?? this.chosen?.patch ?? null;
  }

  /** The model became able to answer, or became another one: what is open is asked again. */
  setReady(model: string): void {
    if (model !== this.model) {
      this.answers.clear();
      this.preview.forget();
    }
    this.model = model;
    this.ready = true;
    this.shownKey = "";
    void this.refresh();
  }

  addPoint(point: ImagePoint, label: 0 | 1): void {
    const { fed } = this;
    const draft = this.promptable(label);
    if (draft) this.change(label === 1 ? "Click" : "Negative click", withPoint(draft, point, label, fed));
  }

  /** A line drawn over what belongs to the object (1), or over what does not (0): a few points that stand for it. */
  scribble(points: readonly ImagePoint[], label: 0 | 1): void {
    const { fed } = this;
    const draft = this.promptable(label);
    const { width, height } = this.options.size;
    const few = spreadPoints(points, SCRIBBLE_SPACING * Math.max(width, height), SCRIBBLE_MOST);
    if (!draft || few.length === 0) return;
    this.change(label === 1 ? "Scribble" : "Negative scribble", withPoints(draft, few, label, fed));
  }

  setBox(box: Box): void {
    const draft = this.promptable(1);
    if (draft) this.change("Box", withBox(draft, box));
  }

  /** A rough mask for the model to make a good one of; it takes the place of what was in the making. */
  roughMask(patch: Patch): void {
    if (patch.width > 0) this.change("Rough mask", withMask(this.draft, patch, this.options.size));
  }

  /** What was painted, or a saved mask, goes to the model as a rough mask. */
  refine(selected: MaskItem | null): void {
    const patch = this.empty ? (selected?.patch ?? null) : this.patch;
    if (!patch || patch.width === 0) return;
    const draft = this.empty && selected ? { ...this.draft, parent: selected.id } : this.draft;
    this.change("Refine", withMask(draft, patch, this.options.size));
  }

  /** One stroke of brush (1) or eraser (0); on `selected` when nothing is in the making. */
  stroke(points: readonly StrokePoint[], radius: number, value: 0 | 1, selected: MaskItem | null): void {
    const paint = (base: Patch) => paintStroke(base, points, radius, value, this.options.size);
    this.edit(value === 1 ? "Brush stroke" : "Eraser stroke", paint, value, selected);
  }

  /** Adds an area (1) or takes it away (0), as it is; on `selected` when nothing is in the making. */
  area(area: Patch, value: 0 | 1, selected: MaskItem | null): void {
    if (value === 1 && area.width === 0) return;
    const change = (base: Patch) => (value === 1 ? union(base, area) : subtract(base, area));
    this.edit(value === 1 ? "Add area" : "Take area away", change, value, selected);
  }

  /** Puts other pixels in the place of the mask in the making: one pixel operation. False when it changed nothing. */
  rework(label: string, work: (patch: Patch) => Patch): boolean {
    const { patch } = this;
    const edited = patch && work(patch);
    if (!edited || samePixels(patch, edited)) return false;
    this.change(label, { ...this.draft, edited, edits: this.draft.edits + 1 });
    return true;
  }

  /** Opens a saved mask to go on from it. */
  reopen(draft: Draft): void {
    this.change("Correct mask", draft);
  }

  /** Picks a candidate by its place in the strip. */
  choose(index: number): void {
    if (this.draft.edited || this.draft.chosen === index) return;
    // While the answer is on its way the choice is taken at its word; quick hands do not wait for the strip.
    if (!this.busy && (!this.candidates[index] || this.candidates[index] === this.chosen)) return;
    this.change("Choose candidate", { ...this.draft, chosen: index });
  }

  cycle(step: 1 | -1): void {
    const count = this.candidates.length;
    if (count === 0) return;
    const { chosen } = this;
    const at = chosen ? this.candidates.indexOf(chosen) : -1;
    this.choose((at + step + count) % count);
  }

  cancel(): boolean {
    if (this.empty) return false;
    this.change("Cancel mask", EMPTY_DRAFT);
    return true;
  }

  /** Runs `work` as soon as the answer to the last prompt is there, unless the draft changes before: now, if it is. */
  whenAnswered(work: () => void): void {
    if (this.busy) this.onAnswer = work;
    else work();
  }

  /** Saves the mask in the making; its id, or null when there is none yet. `seconds` is active time. */
  accept(seconds: number): string | null {
    const { store, history, notice } = this.options;
    if (this.busy) return null;
    const made = this.patch;
    const parent = this.draft.parent;
    const patch = made && this.options.exclusive() ? without(made, store, (item) => this.holds(item)) : made;
    if (!patch || patchArea(patch) === 0) {
      if (made && patch !== made) notice("Other masks that are locked hold all of these pixels.");
      else if (!this.empty) notice(this.ready ? "This mask has no pixels." : "The model is not ready yet.");
      return null;
    }
    const item = this.item(patch, seconds);
    history.gesture("Accept mask", () => {
      const before = parent ? store.mask(parent) : null;
      if (before && isCurrent(before)) store.setMask(before.id, { ...before, status: "superseded" });
      if (this.options.exclusive()) cutOutOfOthers(patch, new Set([item.id]), this.options);
      store.setMask(item.id, item);
      store.setDraft(EMPTY_DRAFT);
    });
    return item.id;
  }

  /** The mask that a click here would give, shown until the first prompt. */
  hover(point: ImagePoint | null): void {
    this.preview.at(point);
  }

  get hovered(): Patch | null {
    return this.preview.patch;
  }

  /** What goes along with the next point: the candidate on the screen, unless it was painted over or a mask holds it. */
  private get fed(): Fed {
    const { chosen, draft } = this;
    return chosen && !draft.edited && !this.answers.held(draft.steps) ? chosen.token : null;
  }

  private holds(item: MaskItem): boolean {
    return item.id !== this.draft.parent && this.options.locked(item.id);
  }

  private item(patch: Patch, seconds: number): MaskItem {
    const { draft, chosen } = this;
    const { options } = this;
    const parent = draft.parent ? options.store.mask(draft.parent) : null;
    const size = [options.size.height, options.size.width] as const;
    const byModel = draft.steps.length > 0 || (parent !== null && fromModel(parent));
    const asOffered = chosen !== null && patch === chosen.patch;
    return {
      id: options.newId(),
      segmentation: (asOffered ? chosen.segmentation : null) ?? encodePatch(patch, size),
      patch,
      area: patchArea(patch),
      status: "accepted",
      category: parent?.category ?? "",
      source: draft.edits === 0 && asOffered ? "model" : byModel ? "model_edited" : "hand",
      stage: options.stage,
      // One that somebody else has put an end to, too: the server says so, and the person decides.
      parent: draft.parent,
      predictedIou: asOffered ? chosen.predictedIou : null,
      stability: asOffered ? chosen.stability : null,
      prompts: promptRecord(draft.steps),
      candidates: candidateRecords(this.candidates),
      chosen: chosen ? this.candidates.indexOf(chosen) : null,
      model: draft.steps.length > 0 ? this.model : (parent?.model ?? ""),
      seconds,
      edits: draft.edits,
      createdBy: options.author,
      track: parent?.track ?? null,
    };
  }

  /**
   * The draft that a further prompt can go on from: what was painted becomes a rough mask that goes along. Null, and
   * told so, where there is nothing to take away from.
   */
  private promptable(label: 0 | 1): Draft | null {
    const { edited } = this.draft;
    if (edited && edited.width > 0) return withMask(this.draft, edited, this.options.size);
    if (label === 1 || !this.empty) return edited ? { ...this.draft, edited: null } : this.draft;
    this.options.notice("Click the object first. A right click then removes from it.");
    return null;
  }

  private edit(label: string, work: (base: Patch) => Patch, value: 0 | 1, selected: MaskItem | null): void {
    const fresh = this.empty;
    const base = this.patch ?? (fresh ? (selected?.patch ?? null) : null);
    if (value === 0 && !base) {
      this.options.notice("There is nothing to erase: select a mask or start one first.");
      return;
    }
    const parent = fresh && selected ? selected.id : this.draft.parent;
    const edited = work(base ?? EMPTY_PATCH);
    this.change(label, { ...this.draft, edited, edits: this.draft.edits + 1, parent });
  }

  private change(label: string, draft: Draft): void {
    this.preview.clear();
    this.options.history.gesture(label, () => this.options.store.setDraft(draft));
  }

  /** Brings the candidates in line with the draft's steps. */
  private async refresh(): Promise<void> {
    const { steps } = this.draft;
    const key = stepsKey(steps);
    if (key === this.shownKey) {
      this.options.changed();
      return;
    }
    this.shownKey = key;
    this.early = null;
    const known = this.answers.known(steps);
    if (steps.length === 0 || known || !this.ready) {
      this.show(known ?? null);
      return;
    }
    this.busy = true;
    this.early = this.foretold(steps);
    this.options.changed();
    try {
      const answer = await this.answers.to(steps, (best) => {
        if (this.shownKey !== key) return;
        this.early = best;
        this.options.changed();
      });
      if (this.shownKey === key) this.show(answer);
    } catch (error) {
      if (error instanceof Overtaken || this.shownKey !== key) return;
      this.show(null);
      this.options.notice(error instanceof Error ? error.message : "The model did not answer.");
    }
  }

  /** The mask that the preview has shown at the first click, and will be its answer. */
  private foretold(steps: readonly PromptStep[]): Candidate | null {
    const [first] = steps;
    return steps.length === 1 && first?.kind === "point" && first.label === 1 ? this.preview.answerTo(first) : null;
  }

  private show(answer: Decoded | null): void {
    this.busy = false;
    this.early = null;
    this.candidates = answer?.candidates ?? [];
    if (answer) this.model = answer.model;
    this.options.changed();
    const next = this.onAnswer;
    this.onAnswer = null;
    next?.();
  }
}
