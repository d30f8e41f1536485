import { ApiError, messageOf } from "../api/client";
import type { Job } from "../api/types";
import type { Direction, videoApi } from "../api/videos";
import type { Later } from "../core/later";

const EVERY = 1000;

export interface Pursuit {
  readonly track: string;
  /** Null until the server has taken it up. */
  readonly job: string | null;
  /** 0..1; null while nobody knows. */
  readonly progress: number | null;
  readonly message: string;
  readonly stopping: boolean;
}

export interface FollowServer extends Pick<typeof videoApi, "propagate"> {
  job(id: string): Promise<Pick<Job, "id" | "state" | "progress" | "message" | "error"> & { readonly result: unknown }>;
  cancelJob(id: string): Promise<unknown>;
}

/** Which job follows which track, for this tab: a reload finds them again. */
export interface PursuitMemory {
  get(): Readonly<Record<string, string>>;
  set(jobs: Readonly<Record<string, string>>): void;
}

export interface FollowingOptions {
  readonly server: FollowServer;
  readonly memory: PursuitMemory;
  /** New masks of the track may be there; `ended`: the last ones. */
  readonly onMasks: (track: string, ended: boolean) => Promise<void>;
  readonly changed: () => void;
  readonly notice: (message: string) => void;
  readonly later: Later;
}

export interface FollowStart {
  readonly image: number;
  readonly direction: Direction;
  /** At most so many; null up to what people vouch for, else to the end. */
  readonly frames: number | null;
}

/** Objects that the model is following through the video at the moment: one job for each track, watched until it ends. */
export class Following {
  /** By track; another map whenever something changed. */
  pursuits: ReadonlyMap<string, Pursuit> = new Map();
  /** Why the last one ended before its time. */
  problem: string | null = null;
  private closed = false;

  constructor(private readonly options: FollowingOptions) {}

  /** Resolves when the job has ended, whatever came of it. */
  async start(track: string, start: FollowStart): Promise<void> {
    if (this.pursuits.has(track)) {
      this.options.notice("This object is being followed already.");
      return;
    }
    this.problem = null;
    this.set({ track, job: null, progress: null, message: "Waiting for the model", stopping: false });
    try {
      const job = await this.options.server.propagate(track, start);
      await this.watch(track, job.id);
    } catch (error) {
      const other = error instanceof ApiError && error.code === "propagation_open" ? error.details.job : null;
      if (typeof other === "string") return this.join(track, other);
      this.end(track, messageOf(error));
    }
  }

  /** Goes on watching what was begun before a reload. */
  resume(): void {
    this.closed = false;
    for (const [track, job] of Object.entries(this.options.memory.get())) {
      if (!this.pursuits.has(track)) void this.join(track, job);
    }
  }

  /** What was followed so far stays. */
  async stop(track: string): Promise<void> {
    const pursuit = this.pursuits.get(track);
    if (!pursuit?.job || pursuit.stopping) return;
    this.set({ ...pursuit, stopping: true, message: "Stopping" });
    try {
      await this.options.server.cancelJob(pursuit.job);
    } catch (error) {
      this.options.notice(messageOf(error));
      const now = this.pursuits.get(track);
      if (now) this.set({ ...now, stopping: false });
    }
  }

  dismissProblem(): void {
    this.problem = null;
    this.options.changed();
  }

  close(): void {
    this.closed = true;
  }

  /** Watches a job that is under way. */
  private async join(track: string, job: string): Promise<void> {
    this.set({ track, job, progress: null, message: "Being followed already", stopping: false });
    try {
      await this.watch(track, job);
    } catch (error) {
      // A job that is no longer known has ended long ago.
      this.end(track, error instanceof ApiError && error.status === 404 ? null : messageOf(error));
    }
  }

  private async watch(track: string, id: string): Promise<void> {
    for (;;) {
      if (this.closed) return;
      const job = await this.ask(id);
      if (this.closed) return;
      const ended = job !== null && !/^(queued|running)$/.test(job.state);
      await this.options.onMasks(track, ended);
      if (ended) return this.end(track, job.state === "failed" ? reasonOf(job) : null, told(job));
      const before = this.pursuits.get(track);
      if (job && before) {
        const message = before.stopping ? before.message : job.message || "Waiting for the model";
        this.set({ ...before, job: id, progress: job.progress || null, message });
      }
      await new Promise<void>((resolve) => this.options.later(resolve, EVERY));
    }
  }

  /** Null while the server cannot be reached: the job goes on without us. */
  private async ask(id: string): Promise<Awaited<ReturnType<FollowServer["job"]>> | null> {
    try {
      return await this.options.server.job(id);
    } catch (error) {
      if (error instanceof ApiError && (error.offline || error.status >= 500)) return null;
      throw error;
    }
  }

  private set(pursuit: Pursuit): void {
    this.become(new Map(this.pursuits).set(pursuit.track, pursuit));
  }

  private become(pursuits: ReadonlyMap<string, Pursuit>): void {
    this.pursuits = pursuits;
    this.options.memory.set(
      Object.fromEntries([...pursuits].flatMap(([track, { job }]) => (job ? [[track, job]] : []))),
    );
    this.options.changed();
  }

  private end(track: string, problem: string | null, notice?: string): void {
    const left = new Map(this.pursuits);
    left.delete(track);
    this.problem = problem;
    if (!problem && notice) this.options.notice(notice);
    this.become(left);
  }
}

function reasonOf(job: { readonly error: { readonly message: string } | null }): string {
  return `Following stopped: ${job.error?.message ?? "the model failed."} What was found until then is kept.`;
}

/** What a job that has ended says of itself: {frames, masks, absent: [numbers], held: [numbers]}. */
function told(job: { readonly state: string; readonly result: unknown }): string {
  if (job.state === "cancelled") return "Following was stopped. What was found until then is kept.";
  const result = (job.result ?? {}) as { masks?: number; absent?: readonly number[]; held?: readonly number[] };
  const { masks = 0, absent = [], held = [] } = result;
  const found = [masks === 1 ? "Found on 1 frame" : `Found on ${masks} frames`];
  if (absent.length > 0) found.push(`not seen on ${absent.length}`);
  if (held.length > 0) found.push(`left to who works on ${held.length}`);
  return `${found.join(", ")}.`;
}
