import { ApiError, messageOf } from "../api/client";
import { api } from "../api/endpoints";
import type { FinishedTask, Holder, Task, TaskKind } from "../api/types";

/** Renewed this often; a lease lasts several times as long. */
const RENEW_EVERY = 60_000;

export type Hold =
  | { readonly kind: "claiming" }
  | { readonly kind: "held"; readonly task: Task }
  /** Somebody else works on it, or this person may only look. */
  | { readonly kind: "reading"; readonly message: string }
  /** Nobody works on it any more: it may be taken up. */
  | { readonly kind: "free"; readonly message: string }
  | { readonly kind: "offline"; readonly message: string };

export interface TaskFlowOptions {
  readonly imageId: number;
  readonly me: string;
  readonly changed: () => void;
  /** A task was taken up that was not held before. */
  readonly taken: (task: Task) => void;
  /** Active seconds that the server has not been told; asked when the image is left. */
  readonly seconds: () => number;
  /** The server was told so many seconds. */
  readonly told: (seconds: number) => void;
}

/** For others, at once. Nothing depends on the answer: what was not given back is freed when its lease ends. */
export function giveBack(task: Task, seconds = 0): void {
  if (task.lease) api.releaseTask(task.id, task.lease, seconds).catch(() => undefined);
}

/** One request that ends the work on the image. */
type Finishing = (task: Task, lease: string, seconds: number) => Promise<FinishedTask>;

/** Who works on this image: claims it, keeps the lease alive, submits, skips, gives it back. */
export class TaskFlow {
  hold: Hold = { kind: "claiming" };
  /** What is to be done here; an image that nobody handed out is taken up for labelling. */
  work: TaskKind = "annotate";
  /** What is held here or was last: masks are made under it, whether or not its lease has ended. */
  taskId: number | null = null;
  /** The task that was submitted here. */
  finishedTask: number | null = null;
  /** What came with the answer to that, already held: the image to go on with. */
  following: Task | null = null;
  private timer: ReturnType<typeof setInterval> | null = null;
  /** Submitted or skipped here, or only to be looked at. */
  finished = false;
  private closed = false;
  /** Closed, and what was only looked at was given back. */
  private released = false;
  /** A request that ends the work is under way, or may have come through without an answer. */
  private finishing = false;

  constructor(private readonly options: TaskFlowOptions) {}

  get task(): Task | null {
    return this.hold.kind === "held" ? this.hold.task : null;
  }

  /** `given`: the task that "next" has just handed out for this image. */
  async open(given: Task | null): Promise<void> {
    if (given) this.work = given.kind;
    if (given?.lease) this.set({ kind: "held", task: given });
    else await this.claim();
    if (!this.closed) this.timer ??= setInterval(() => void this.renew(), RENEW_EVERY);
  }

  /** This person may not change anything here. */
  readOnly(message: string): void {
    this.finished = true;
    this.set({ kind: "reading", message });
  }

  async claim(): Promise<void> {
    try {
      const task = await api.claimTask(this.options.imageId, this.work);
      // The page was left while the server was asked.
      if (this.released) giveBack(task);
      else this.set({ kind: "held", task });
    } catch (error) {
      const offline = error instanceof ApiError && (error.offline || error.status >= 500);
      this.set({ kind: offline ? "offline" : "reading", message: messageOf(error) });
    }
  }

  /** What the server says of the image's task, heard while the editor is open. */
  observe(task: Holder | null): void {
    if (this.ending) return;
    const { kind } = this.hold;
    if (task !== null && task.kind !== this.work) {
      // Who labels the image says nothing of this work, only that it is not held any more.
      if (kind === "held" || kind === "offline") void this.claim();
      return;
    }
    const holder = task?.assignee ?? null;
    if ((kind === "reading" || kind === "free") && holder === this.options.me) {
      void this.claim();
    } else if (kind === "reading" && holder === null) {
      this.set({ kind: "free", message: "This image is free now." });
    } else if (kind === "free" && holder !== null) {
      this.set({ kind: "reading", message: `${holder} is working on this image.` });
    } else if (kind === "offline") {
      void this.claim();
    } else if (kind === "held" && task !== null && holder !== this.options.me) {
      if (holder !== null) this.set({ kind: "reading", message: `${holder} is working on this image now.` });
      else if (this.onlyGivenBack(task)) void this.claim();
      else this.set({ kind: "free", message: `This image was ${task.state} in another window.` });
    }
  }

  /**
   * Nobody decided anything: the lease ended, or the page before this one gave it back after this one had taken it up,
   * as happens when a page is loaded anew. What had been submitted before falls back to submitted then.
   */
  private onlyGivenBack(task: Holder): boolean {
    if (task.state === "submitted") return task.submitted_at === this.task?.submitted_at;
    return task.state === "claimed" || task.state === "open";
  }

  /**
   * Counts the image as done. A lease that ended meanwhile is taken up again first. With `nextKind` the next task of
   * that kind is handed out in the same request, if there is one (`following`).
   */
  async submit(answer: "done" | "nothing_left", nextKind: TaskKind | null): Promise<void> {
    await this.withLease(async (task, lease, seconds) => {
      const done = await api.submitTask(task.id, { lease, seconds, answer, next_kind: nextKind });
      this.finishedTask = done.id;
      return done;
    });
  }

  async skip(reason: string, nextKind: TaskKind | null): Promise<void> {
    await this.withLease((task, lease, seconds) =>
      api.skipTask(task.id, { lease, seconds, reason, next_kind: nextKind }),
    );
  }

  /** Leaving: stops renewing, and with `release` lets others have the image at once. */
  close(release: boolean): void {
    if (this.closed) return;
    this.closed = true;
    if (this.timer) clearInterval(this.timer);
    const { task } = this;
    this.released = release && !this.finished;
    if (!this.released || !task?.lease) return;
    const seconds = this.seconds();
    giveBack(task, seconds);
    this.options.told(seconds);
  }

  private seconds(): number {
    return Math.round(this.options.seconds() * 10) / 10;
  }

  private async withLease(work: Finishing): Promise<void> {
    this.finishing = true;
    try {
      await this.tryTwice(work);
      this.finishing = false;
    } catch (error) {
      // An answer that was lost may have been a yes: what the server says of the task by now is no surprise.
      this.finishing = error instanceof ApiError && (error.offline || error.status >= 500);
      throw error;
    }
  }

  private async tryTwice(work: Finishing): Promise<void> {
    const seconds = this.seconds();
    for (const last of [false, true]) {
      if (!this.task) await this.claim();
      const { task } = this;
      if (!task?.lease) throw this.refusal();
      try {
        const done = await work(task, task.lease, seconds);
        this.following = done.next;
        this.finished = true;
        this.options.told(seconds);
        return;
      } catch (error) {
        if (last || !(error instanceof ApiError) || error.code !== "lease_lost") throw error;
        this.hold = { kind: "claiming" };
      }
    }
  }

  private refusal(): ApiError {
    const { hold } = this;
    const message = "message" in hold ? hold.message : "This image is not yours at the moment.";
    return hold.kind === "offline" ? new ApiError(0, "offline", message) : new ApiError(409, "lease_lost", message);
  }

  private async renew(): Promise<void> {
    if (this.ending) return;
    const { task } = this;
    if (!task?.lease) {
      if (this.hold.kind === "offline") await this.claim();
      return;
    }
    try {
      const renewed = await api.renewTask(task.id, task.lease);
      this.hold = { kind: "held", task: { ...task, lease: renewed.lease, lease_expires_at: renewed.lease_expires_at } };
    } catch (error) {
      if (error instanceof ApiError && error.code === "lease_lost" && !this.ending) await this.claim();
    }
  }

  private get ending(): boolean {
    return this.finished || this.finishing || this.closed;
  }

  private set(hold: Hold): void {
    this.hold = hold;
    const { task } = this;
    if (task && task.id !== this.taskId) {
      this.taskId = task.id;
      this.options.taken(task);
    }
    if (!this.closed) this.options.changed();
  }
}
