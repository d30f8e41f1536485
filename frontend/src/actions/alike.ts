import type { JobDetail } from "../api/types";
import { imagePoint } from "../core/geometry";
import { decodePatch, type Segmentation } from "../core/rle";
import type { Offered, Proposals } from "./proposals";

/** Masks that show what is looked for, by the server's ids, the name of a category, or what a text speaks of. */
export type Sought =
  | { readonly examples: readonly string[] }
  | { readonly category: string }
  | { readonly text: string };

/** A category where there is one of this name, else free text where the server understands that. */
export function soughtBy(words: string, categories: readonly string[], freeText: boolean): Sought {
  const name = categories.find((one) => one.toLowerCase() === words.toLowerCase());
  return name !== undefined || !freeText ? { category: name ?? words } : { text: words };
}

/** What of the server is needed; `api` is one. */
export interface AlikeServer {
  findAlike(image: number, sought: Sought): Promise<{ readonly id: string }>;
  proposeAlike(dataset: number, sought: Sought, threshold: number): Promise<{ readonly id: string }>;
  job(id: string): Promise<JobDetail>;
  cancelJob(id: string): Promise<unknown>;
}

export interface AlikeOptions {
  readonly imageId: number;
  readonly dataset: number;
  readonly server: AlikeServer;
  readonly proposals: Proposals;
  readonly wait: (milliseconds: number) => Promise<void>;
  readonly changed: () => void;
  readonly notice: (message: string) => void;
}

interface FoundMask {
  readonly segmentation: Segmentation;
  readonly area: number;
  readonly score: number;
  readonly predicted_iou: number;
  readonly stability_score: number;
  readonly prompts: readonly Record<string, unknown>[];
}

interface Found {
  readonly model: string;
  readonly category: string;
  readonly masks: readonly FoundMask[];
}

const ASK_EVERY = 400;

/**
 * "Everything like this": a search by the server on this image, whose findings become proposals, and the same proposed
 * on all images that wait. A newer search takes the place of an older one.
 */
export class Alike {
  state: "idle" | "searching" | "done" = "idle";
  /** Share of the search that is done, 0..1. */
  progress = 0;
  /** What the proposals on the screen are like. */
  sought: Sought | null = null;
  private job: string | null = null;
  private turn = 0;

  constructor(private readonly options: AlikeOptions) {}

  async find(sought: Sought): Promise<void> {
    const { server, imageId, proposals, notice } = this.options;
    this.cancel();
    const turn = ++this.turn;
    this.sought = sought;
    this.set("searching", 0);
    try {
      const { id } = await server.findAlike(imageId, sought);
      if (turn !== this.turn) return void server.cancelJob(id).catch(() => undefined);
      this.job = id;
      const found = await this.finished(id, turn);
      if (!found) return;
      proposals.offer(offers(found));
      this.set("done", 1);
      const count = proposals.visible().length;
      notice(outcome(count, sought));
    } catch (error) {
      if (turn !== this.turn) return;
      this.set("idle", 0);
      notice(error instanceof Error ? error.message : "The server did not answer.");
    }
  }

  /** Stops a search that is under way. */
  cancel(): boolean {
    if (this.state !== "searching") return false;
    this.turn++;
    if (this.job) this.options.server.cancelJob(this.job).catch(() => undefined);
    this.job = null;
    this.set("idle", 0);
    return true;
  }

  /** What is shown no longer comes from here. */
  forget(): void {
    this.cancel();
    this.sought = null;
    this.set("idle", 0);
  }

  /** Has the same proposed on every image that waits, from the bar that is set here. */
  async propose(): Promise<void> {
    const { server, dataset, proposals, notice } = this.options;
    if (!this.sought) return;
    try {
      await server.proposeAlike(dataset, this.sought, proposals.threshold);
      notice("Proposing it on the images that wait. The tab Jobs shows how far it is.");
    } catch (error) {
      notice(error instanceof Error ? error.message : "The server did not answer.");
    }
  }

  /** What the job found; null when another search has begun. */
  private async finished(id: string, turn: number): Promise<Found | null> {
    for (;;) {
      const job = await this.options.server.job(id);
      if (turn !== this.turn) return null;
      if (job.state === "succeeded") return job.result as unknown as Found;
      if (job.state === "failed" || job.state === "cancelled") {
        throw new Error(job.error?.message || "The search was stopped.");
      }
      this.set("searching", job.progress);
      await this.options.wait(ASK_EVERY);
      if (turn !== this.turn) return null;
    }
  }

  private set(state: Alike["state"], progress: number): void {
    this.state = state;
    this.progress = progress;
    this.options.changed();
  }
}

function outcome(count: number, sought: Sought): string {
  if ("text" in sought) return count === 0 ? "Nothing was found." : `${count} found.`;
  return count === 0 ? "Nothing like it was found." : `${count} like it.`;
}

/** What the server found as proposals: the score decides what is shown. */
function offers({ masks, model, category }: Found): Offered[] {
  return masks.map((one) => {
    const patch = decodePatch(one.segmentation);
    const candidate = {
      token: 0,
      predictedIou: one.predicted_iou,
      stability: one.stability_score,
      area: one.area,
      patch,
      segmentation: one.segmentation,
      logits: null,
    };
    const point = imagePoint(patch.x + patch.width / 2, patch.y + patch.height / 2);
    return { candidate, point, score: one.score, prompts: one.prompts, category, model };
  });
}
