import { ApiError, messageOf } from "../api/client";
import { api } from "../api/endpoints";
import type { Task } from "../api/types";

/** Renewed this often; a lease lasts several times as long. */
const RENEW_EVERY = 60_000;

export type Hold =
  | { readonly kind: "claiming" }
  | { readonly kind: "held"; readonly task: Task }
  /** Somebody else works on it, or this person may only look. */
  | { readonly kind: "reading"; readonly message: string }
  | { readonly kind: "offline"; readonly message: string };

/** Who works on this image: claims it, keeps the lease alive, submits, skips, gives it back. */
export class TaskFlow {
  hold: Hold = { kind: "claiming" };
  private timer: ReturnType<typeof setInterval> | null = null;
  private closed = false;
  private finished = false;

  constructor(
    private readonly imageId: number,
    private readonly changed: () => void,
  ) {}

  get task(): Task | null {
    return this.hold.kind === "held" ? this.hold.task : null;
  }

  /** `given`: the task that "next" has just handed out for this image. */
  async open(given: Task | null): Promise<void> {
    if (given?.lease) this.set({ kind: "held", task: given });
    else await this.claim();
    this.timer ??= setInterval(() => void this.renew(), RENEW_EVERY);
  }

  async claim(): Promise<void> {
    try {
      const task = await api.claimTask(this.imageId);
      this.set({ kind: "held", task });
    } catch (error) {
      const offline = error instanceof ApiError && (error.offline || error.status >= 500);
      this.set({ kind: offline ? "offline" : "reading", message: messageOf(error) });
    }
  }

  /** Counts the image as done. A lease that ended meanwhile is taken up again first. */
  async submit(seconds: number, answer: "done" | "nothing_left"): Promise<void> {
    await this.withLease((task, lease) => api.submitTask(task.id, lease, Math.round(seconds * 10) / 10, answer));
  }

  async skip(reason: string): Promise<void> {
    await this.withLease((task, lease) => api.skipTask(task.id, lease, reason));
  }

  /** Leaving: stops renewing, and with `release` lets others have the image at once. */
  close(release: boolean): void {
    this.closed = true;
    if (this.timer) clearInterval(this.timer);
    const { task } = this;
    // Nothing depends on the answer: an image that was not given back is freed when its lease ends.
    if (release && !this.finished && task?.lease) api.releaseTask(task.id, task.lease).catch(() => undefined);
  }

  private async withLease(work: (task: Task, lease: string) => Promise<Task>): Promise<void> {
    for (const last of [false, true]) {
      if (!this.task) await this.claim();
      const { task } = this;
      if (!task?.lease) throw new ApiError(409, "lease_lost", this.hold.kind === "held" ? "" : this.why());
      try {
        await work(task, task.lease);
        this.finished = true;
        return;
      } catch (error) {
        if (last || !(error instanceof ApiError) || error.code !== "lease_lost") throw error;
        this.hold = { kind: "claiming" };
      }
    }
  }

  private why(): string {
    return "message" in this.hold ? this.hold.message : "This image is not yours at the moment.";
  }

  private async renew(): Promise<void> {
    const { task } = this;
    if (!task?.lease) {
      if (this.hold.kind === "offline") await this.claim();
      return;
    }
    try {
      const renewed = await api.renewTask(task.id, task.lease);
      this.hold = { kind: "held", task: { ...task, lease: renewed.lease, lease_expires_at: renewed.lease_expires_at } };
    } catch (error) {
      if (error instanceof ApiError && error.code === "lease_lost") await this.claim();
    }
  }

  private set(hold: Hold): void {
    this.hold = hold;
    if (!this.closed) this.changed();
  }
}
