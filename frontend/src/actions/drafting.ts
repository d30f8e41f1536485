import {
  type Draft,
  EMPTY_DRAFT,
  isEmptyDraft,
  type PromptStep,
  promptRecord,
  promptsOf,
  stepsKey,
  withBox,
  withPoint,
} from "../core/draft";
import type { Box, ImagePoint, Size } from "../core/geometry";
import type { History } from "../core/history";
import type { Latency } from "../core/latency";
import type { MaskItem, MaskStore } from "../core/maskStore";
import { Overtaken } from "../core/newestWins";
import { EMPTY_PATCH, type Patch, paintStroke, patchArea } from "../core/patch";
import { encodePatch } from "../core/rle";
import { bestOf, type Candidate, type Decoded, type Segmenter } from "../segmenter/segmenter";
import { candidateRecords } from "./records";

export interface DraftingOptions {
  readonly store: MaskStore;
  readonly history: History;
  readonly segmenter: Segmenter;
  readonly imageId: number;
  readonly size: Size;
  readonly stage: string;
  readonly author: string;
  readonly decodes: Latency;
  readonly changed: () => void;
  readonly notice: (message: string) => void;
  readonly newId: () => string;
}

/** Answers kept, so that undo shows a mask again at once. */
const KEEP_ANSWERS = 60;

/** The mask in the making: prompts in, candidates out, brush on top, accepted or given up. */
export class Drafting {
  candidates: readonly Candidate[] = [];
  model = "";
  busy = false;
  ready = false;
  hovered: Patch | null = null;
  private readonly answers = new Map<string, Decoded>();
  private hoverNext: ImagePoint | null = null;
  private hovering = false;
  private shownKey = "";
  private onAnswer: (() => void) | null = null;
  private readonly off: () => void;

  constructor(private readonly options: DraftingOptions) {
    this.off = options.store.changed.on((set) => {
      if (!set.changes.some((change) => change.kind === "draft")) return;
      this.onAnswer = null;
      void this.refresh();
    });
  }

  close(): void {
    this.off();
  }

  get draft(): Draft {
    return this.options.store.draft;
  }

  get empty(): boolean {
    return isEmptyDraft(this.draft);
  }

  /** The candidate on the screen: the one picked, else the best. */
  get chosen(): Candidate | null {
    const picked = this.draft.chosen === null ? null : this.candidates[this.draft.chosen];
    return picked ?? bestOf(this.candidates);
  }

  /** The pixels that accepting would save. */
  get patch(): Patch | null {
    return this.draft.edited ?? this.chosen?.patch ?? null;
  }

  /** The model became able to answer, or became another one: what is open is asked again. */
  setReady(model: string): void {
    if (model !== this.model) this.answers.clear();
    this.model = model;
    this.ready = true;
    this.shownKey = "";
    void this.refresh();
  }

  addPoint(point: ImagePoint, label: 0 | 1): void {
    if (this.blockedByBrush()) return;
    if (label === 0 && this.empty) {
      this.options.notice("Click the object first. A right click then removes from it.");
      return;
    }
    const { chosen } = this;
    const fed = chosen && this.draft.steps.length > 0 ? chosen.token : null;
    this.change(label === 1 ? "Click" : "Negative click", withPoint(this.draft, point, label, fed));
  }

  setBox(box: Box): void {
    if (this.blockedByBrush()) return;
    this.change("Box", withBox(this.draft, box));
  }

  /** One stroke of brush (1) or eraser (0); on `selected` when nothing is in the making. */
  stroke(points: readonly ImagePoint[], radius: number, value: 0 | 1, selected: MaskItem | null): void {
    const fresh = this.empty;
    const base = this.patch ?? (fresh ? (selected?.patch ?? null) : null);
    if (value === 0 && !base) {
      this.options.notice("There is nothing to erase: select a mask or start one first.");
      return;
    }
    const edited = paintStroke(base ?? EMPTY_PATCH, points, radius, value, this.options.size);
    const parent = fresh && selected ? selected.id : this.draft.parent;
    const draft = { ...this.draft, edited, edits: this.draft.edits + 1, parent };
    this.change(value === 1 ? "Brush stroke" : "Eraser stroke", draft);
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
    const patch = this.patch;
    const area = patch ? patchArea(patch) : 0;
    if (!patch || area === 0) {
      if (!this.empty) notice(this.ready ? "This mask has no pixels." : "The model is not ready yet.");
      return null;
    }
    const item = this.item(patch, area, seconds);
    history.gesture("Accept mask", () => {
      const parent = item.parent ? store.mask(item.parent) : null;
      if (parent) store.setMask(parent.id, { ...parent, status: "superseded" });
      store.setMask(item.id, item);
      store.setDraft(EMPTY_DRAFT);
    });
    return item.id;
  }

  /** Live preview under the pointer, until the first prompt. Newest wins; a slow decoder skips positions. */
  hover(point: ImagePoint | null): void {
    this.hoverNext = this.empty && this.ready ? point : null;
    if (!this.hoverNext) {
      if (this.hovered) {
        this.hovered = null;
        this.options.changed();
      }
      return;
    }
    if (!this.hovering) void this.runHover();
  }

  private item(patch: Patch, area: number, seconds: number): MaskItem {
    const { draft, chosen } = this;
    const { options } = this;
    const parent = draft.parent ? options.store.mask(draft.parent) : null;
    const size = [options.size.height, options.size.width] as const;
    const fromModel = draft.steps.length > 0 || (parent !== null && parent.source !== "hand");
    return {
      id: options.newId(),
      segmentation: (draft.edited ? null : chosen?.segmentation) ?? encodePatch(patch, size),
      patch,
      area,
      status: "accepted",
      category: parent?.category ?? "",
      source: draft.edits === 0 && draft.steps.length > 0 ? "model" : fromModel ? "model_edited" : "hand",
      stage: options.stage,
      parent: parent?.id ?? null,
      predictedIou: draft.edited ? null : (chosen?.predictedIou ?? null),
      stability: draft.edited ? null : (chosen?.stability ?? null),
      prompts: promptRecord(draft.steps),
      candidates: candidateRecords(this.candidates),
      chosen: chosen ? this.candidates.indexOf(chosen) : null,
      model: draft.steps.length > 0 ? this.model : (parent?.model ?? ""),
      seconds,
      edits: draft.edits,
      createdBy: options.author,
    };
  }

  private change(label: string, draft: Draft): void {
    this.hovered = null;
    this.hoverNext = null;
    this.options.history.gesture(label, () => this.options.store.setDraft(draft));
  }

  private blockedByBrush(): boolean {
    if (!this.draft.edited) return false;
    this.options.notice("Accept the painted mask first (Enter), or give it up (Esc).");
    return true;
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
    const known = this.answers.get(key);
    if (steps.length === 0 || known || !this.ready) {
      this.show(known ?? null);
      return;
    }
    this.busy = true;
    this.options.changed();
    try {
      const answer = await this.decodeSteps(steps);
      if (this.shownKey === key) this.show(answer);
    } catch (error) {
      if (error instanceof Overtaken || this.shownKey !== key) return;
      this.show(null);
      this.options.notice(error instanceof Error ? error.message : "The model did not answer.");
    }
  }

  private show(answer: Decoded | null): void {
    this.busy = false;
    this.candidates = answer?.candidates ?? [];
    if (answer) this.model = answer.model;
    this.options.changed();
    const next = this.onAnswer;
    this.onAnswer = null;
    next?.();
  }

  /** Decodes a recipe: from the longest part whose answer is known, step by step, each fed with what was seen. */
  private async decodeSteps(steps: readonly PromptStep[]): Promise<Decoded> {
    const key = stepsKey(steps);
    const known = this.answers.get(key);
    if (known) return known;
    const last = steps.at(-1);
    const fed = last?.fed ?? null;
    const before = fed === null ? null : await this.decodeSteps(steps.slice(0, -1));
    const feed = before?.candidates.find((one) => one.token === fed) ?? null;
    const { points, labels, box } = promptsOf(steps);
    const request = { imageId: this.options.imageId, points, labels, box, feed, purpose: "prompt" as const };
    const answer = await this.options.segmenter.decode(request);
    this.options.decodes.add(answer.milliseconds);
    this.answers.set(key, answer);
    const oldest = this.answers.keys().next().value;
    if (this.answers.size > KEEP_ANSWERS && oldest !== undefined) this.answers.delete(oldest);
    return answer;
  }

  private async runHover(): Promise<void> {
    this.hovering = true;
    while (this.hoverNext) {
      const point = this.hoverNext;
      this.hoverNext = null;
      try {
        const answer = await this.options.segmenter.decode({
          imageId: this.options.imageId,
          points: [point],
          labels: [1],
          box: null,
          feed: null,
          purpose: "hover",
        });
        this.options.decodes.add(answer.milliseconds);
        if (this.empty) this.hovered = bestOf(answer.candidates)?.patch ?? null;
        this.options.changed();
      } catch {
        // A preview that failed or was overtaken is not missed; a click would say why.
        break;
      }
    }
    this.hovering = false;
  }
}
