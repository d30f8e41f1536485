import { type ImagePoint, imagePoint, type Size } from "../core/geometry";
import type { MaskItem } from "../core/maskStore";
import { Overtaken } from "../core/newestWins";
import { type Patch, patchHas } from "../core/patch";
import { overlap, sharedArea } from "../core/pixels";
import { encodePatch } from "../core/rle";
import type { Candidate } from "../segmenter/segmenter";
import type { ModelWorkOptions } from "./corrections";
import { candidateRecords } from "./records";

/** Points per side of the grid: between the 32 of the reference, which is for machines, and what a person waits for. */
const SIDE = 16;
/** What is worth keeping at all; people then choose what they want to see. */
export const LOWEST_IOU = 0.2;
/** Where the bar ends for what is alike: most of what a search finds below is something else. */
export const LEAST_ALIKE = 0.05;
/** Its first place, as a share of the best score. */
const HALF_AS_ALIKE = 0.5;
/** The bar is first set so that about this many of the best are seen: models differ in how sure they are. */
const SHOWN_FIRST = 30;
const HIGHEST_FIRST_BAR = 0.8;
/** Low, because small models are soft about their borders; the bar sorts the rest. */
const LOWEST_STABILITY = 0.1;
/** More shared area than this, as IoU, makes two proposals the same object. */
const SAME_OBJECT = 0.7;
const LARGEST_SHARE = 0.95;
const SMALLEST_AREA = 16;

const NOBODY: ReadonlySet<string> = new Set();

/** A mask that may be taken. `score` is what the bar is compared with: for the grid, the predicted IoU. */
export interface Offered {
  readonly candidate: Candidate;
  /** The point of the grid that gave it, or its middle. */
  readonly point: ImagePoint;
  readonly score: number;
  readonly prompts: readonly Record<string, unknown>[];
  readonly category: string;
  /** Digest of the model that made it. */
  readonly model: string;
}

export interface Proposal extends Offered {
  readonly id: number;
}

export interface ProposalOptions extends Omit<ModelWorkOptions, "locked"> {
  readonly model: () => string;
  readonly seconds: () => number;
}

/**
 * "Segment everything" on one image, in this browser: a grid of clicks between the person's own ones, filtered by the
 * model's own estimate and by stability, the better of two alike kept. Nothing is a mask before somebody takes it.
 */
export class Proposals {
  state: "idle" | "running" | "done" = "idle";
  /** Share of the grid that was asked, 0..1. */
  progress = 0;
  /** Only proposals with at least this predicted IoU are shown. */
  threshold = HIGHEST_FIRST_BAR;
  hovered: Proposal | null = null;
  private found: readonly Proposal[] = [];
  private readonly dismissed = new Set<number>();
  private barChosen = false;
  private stop: AbortController | null = null;
  private nextId = 1;
  private shownFor: readonly unknown[] = [];
  private shown: readonly Proposal[] = [];

  constructor(private readonly options: ProposalOptions) {}

  /** What can be taken now: good enough, not waved away, and not yet covered by a mask. Best last. */
  visible(): readonly Proposal[] {
    const masks = this.options.store.current.masks;
    const key = [this.found, masks, this.threshold, this.dismissed.size];
    if (key.every((part, at) => part === this.shownFor[at])) return this.shown;
    const covered = this.options.store.visible();
    this.shownFor = key;
    this.shown = this.found.filter(
      ({ id, candidate, score }) =>
        score >= this.threshold &&
        !this.dismissed.has(id) &&
        !covered.some((item) => sameObject(item.patch, item.area, candidate)),
    );
    return this.shown;
  }

  setThreshold(threshold: number): void {
    this.barChosen = true;
    this.threshold = threshold;
    this.options.changed();
  }

  /** Asks the grid, unless that was done or is being done. */
  async run(): Promise<void> {
    if (this.state !== "idle") return;
    const stop = new AbortController();
    this.stop = stop;
    this.set("running", 0);
    const points = grid(this.options.size, SIDE);
    for (const [index, point] of points.entries()) {
      // What has a mask already needs no proposal.
      if (this.options.store.at(point, NOBODY)) continue;
      try {
        await this.ask(point, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        this.set("idle", 0);
        this.options.notice(error instanceof Error ? error.message : "The model did not answer.");
        return;
      }
      if (stop.signal.aborted) return;
      this.setFirstBar();
      this.set("running", (index + 1) / points.length);
    }
    this.set("done", 1);
    const count = this.visible().length;
    this.options.notice(count === 1 ? "1 object was found." : `${count} objects were found.`);
  }

  /** Shows what was found elsewhere in the place of what was there; the bar is set anew. */
  offer(found: readonly Offered[]): void {
    this.reset();
    this.found = found.map((one) => ({ ...one, id: this.nextId++ })).toSorted((a, b) => a.score - b.score);
    const best = this.found.at(-1)?.score ?? 0;
    this.threshold = Math.max(LEAST_ALIKE, Math.round(best * HALF_AS_ALIKE * 20) / 20);
    this.set("done", 1);
  }

  /** Stops asking; what was found so far stays. */
  cancel(): boolean {
    if (this.state !== "running") return false;
    this.stop?.abort();
    this.set(this.found.length > 0 ? "done" : "idle", this.progress);
    return true;
  }

  /** Forgets everything, so that the grid can be asked again. */
  reset(): void {
    this.stop?.abort();
    this.found = [];
    this.dismissed.clear();
    this.hovered = null;
    this.set("idle", 0);
  }

  pointAt(point: ImagePoint | null): void {
    const hovered = point && this.at(point);
    if (hovered === this.hovered) return;
    this.hovered = hovered;
    this.options.changed();
  }

  /** Accepts the proposal under the point as a mask; its id. */
  take(point: ImagePoint): string | null {
    const proposal = this.at(point);
    if (!proposal) {
      this.options.notice("There is no proposal here. Choose the click tool to ask for this object.");
      return null;
    }
    const item = this.item(proposal);
    this.options.history.gesture("Take proposal", () => this.options.store.setMask(item.id, item));
    this.hovered = null;
    return item.id;
  }

  /** Accepts all that is shown; undone at once. */
  takeAll(): void {
    const items = this.visible().map((proposal) => this.item(proposal));
    if (items.length === 0) return;
    const label = items.length === 1 ? "Take proposal" : `Take ${items.length} proposals`;
    this.options.history.gesture(label, () => {
      for (const item of items) this.options.store.setMask(item.id, item);
    });
    this.hovered = null;
    this.options.notice(items.length === 1 ? "1 mask accepted." : `${items.length} masks accepted.`);
  }

  dismiss(point: ImagePoint): void {
    const proposal = this.at(point);
    if (!proposal) return;
    this.dismissed.add(proposal.id);
    this.hovered = null;
    this.options.changed();
  }

  /** The smallest proposal under the point, so that parts can be taken before wholes. */
  private at(point: ImagePoint): Proposal | null {
    const under = this.visible().filter(({ candidate }) => patchHas(candidate.patch, point));
    return under.reduce<Proposal | null>(
      (best, one) => (best && best.candidate.area <= one.candidate.area ? best : one),
      null,
    );
  }

  private async ask(point: ImagePoint, signal: AbortSignal): Promise<void> {
    const { segmenter, imageId } = this.options;
    for (;;) {
      try {
        const prompt = { points: [point], labels: [1 as const], box: null, feed: null, rough: null };
        const answer = await segmenter.decode({ imageId, ...prompt, purpose: "grid", atLeastIou: LOWEST_IOU });
        if (!signal.aborted) for (const candidate of answer.candidates) this.keep(candidate, point);
        return;
      } catch (error) {
        // The person's own click came first; this point is asked again after it.
        if (!(error instanceof Overtaken) || signal.aborted) throw error;
      }
    }
  }

  private keep(candidate: Candidate, point: ImagePoint): void {
    const { width, height } = this.options.size;
    const { area, stability, predictedIou } = candidate;
    if (predictedIou < LOWEST_IOU || stability < LOWEST_STABILITY) return;
    if (area < SMALLEST_AREA || area > LARGEST_SHARE * width * height) return;
    const alike = this.found.filter((other) => sameObject(other.candidate.patch, other.candidate.area, candidate));
    if (alike.some((other) => other.candidate.predictedIou >= predictedIou)) return;
    const offered = { candidate, point, score: predictedIou, prompts: promptAt(point), category: "", model: "" };
    this.found = [...this.found.filter((other) => !alike.includes(other)), { id: this.nextId++, ...offered }];
  }

  private item({ candidate, prompts, category, model }: Proposal): MaskItem {
    const { options } = this;
    return {
      id: options.newId(),
      segmentation: candidate.segmentation ?? encodePatch(candidate.patch, [options.size.height, options.size.width]),
      patch: candidate.patch,
      area: candidate.area,
      status: "accepted",
      category,
      source: "model",
      stage: options.stage,
      parent: null,
      predictedIou: candidate.predictedIou,
      stability: candidate.stability,
      prompts,
      candidates: candidateRecords([candidate]),
      chosen: 0,
      model: model || options.model(),
      seconds: options.seconds(),
      edits: 0,
      createdBy: options.author,
      track: null,
    };
  }

  /** Until somebody moves the bar. In steps of five percent, as the bar itself. */
  private setFirstBar(): void {
    if (this.barChosen) return;
    const sure = this.found.map((one) => one.score).toSorted((a, b) => b - a);
    const last = sure[Math.min(SHOWN_FIRST, sure.length) - 1] ?? HIGHEST_FIRST_BAR;
    this.threshold = Math.min(HIGHEST_FIRST_BAR, Math.max(LOWEST_IOU, Math.floor(last * 20) / 20));
  }

  private set(state: Proposals["state"], progress: number): void {
    this.state = state;
    this.progress = progress;
    this.options.changed();
  }
}

const promptAt = ({ x, y }: ImagePoint) => [{ type: "point", x, y, label: 1, fed: null }];

function sameObject(patch: Patch, area: number, candidate: Candidate): boolean {
  // IoU of masks cannot exceed the ratio of their areas: this spares most of the counting.
  if (Math.min(area, candidate.area) < SAME_OBJECT * Math.max(area, candidate.area)) return false;
  if (!overlap(patch, candidate.patch)) return false;
  const shared = sharedArea(patch, candidate.patch);
  return shared > SAME_OBJECT * (area + candidate.area - shared);
}

/** Middles of a side x side division of the image, spread so that early ones already cover all of it. */
function grid(size: Size, side: number): ImagePoint[] {
  const points = Array.from({ length: side * side }, (_, at) =>
    imagePoint((((at % side) + 0.5) / side) * size.width, ((Math.floor(at / side) + 0.5) / side) * size.height),
  );
  // A stride coprime to the count visits every point once.
  const stride = 37;
  return points.map((_, at) => points[(at * stride) % points.length] as ImagePoint);
}
