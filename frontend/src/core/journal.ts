import { Emitter } from "./emitter";
import type { Later } from "./later";

/** What is to be done to one mask on the server. Kept until the server has confirmed it. */
export interface JournalOp {
  readonly seq: number;
  readonly userId: number;
  readonly imageId: number;
  readonly maskId: string;
  readonly kind: "put" | "delete" | "restore";
  /** The mask record of a put, in the API's form. */
  readonly body: Record<string, unknown> | null;
  /** Set when the server refused for good: it is then shown to the person, not sent again by itself. */
  readonly problem: JournalProblem | null;
}

export interface JournalProblem {
  readonly kind: "conflict" | "refused";
  readonly code: string;
  readonly message: string;
  /** The server's version of the mask, for a conflict. */
  readonly current: unknown;
}

/** Where operations wait. IndexedDB in the browser, a plain list in tests. */
export interface JournalStore {
  all(): Promise<JournalOp[]>;
  /** Resolves with the operation's number once it is safely stored. */
  add(op: Omit<JournalOp, "seq">): Promise<number>;
  replace(op: JournalOp): Promise<void>;
  remove(seq: number): Promise<void>;
}

export type SendResult =
  | { readonly kind: "done" }
  | { readonly kind: "offline" }
  | { readonly kind: "busy" }
  | { readonly kind: "signed_out" }
  | { readonly kind: "problem"; readonly problem: JournalProblem };

export interface JournalStatus {
  readonly waiting: number;
  readonly sending: boolean;
  readonly offline: boolean;
  readonly signedOut: boolean;
  readonly problems: readonly JournalOp[];
}

export interface JournalOptions {
  readonly store: JournalStore;
  readonly userId: number;
  readonly send: (op: JournalOp) => Promise<SendResult>;
  readonly later: Later;
  /** Milliseconds of some clock, to time how long saving takes. */
  readonly now?: () => number;
  /** Only one tab may send at a time; the default is for a single tab. */
  readonly exclusive?: (work: () => Promise<void>) => Promise<void>;
}

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;

/**
 * Accepted work on its way to the server. `add` resolves when the operation is on disk; sending, retrying with growing
 * pauses and keeping the order per mask happen behind it. Operations of other people on this computer are left alone.
 */
export class Journal {
  readonly changed = new Emitter<JournalStatus>();
  readonly confirmed = new Emitter<JournalOp>();
  /** A refused operation was decided upon; masks that will never be saved are named. */
  readonly decided = new Emitter<{ readonly imageId: number; readonly dropped: readonly string[] }>();
  /** Milliseconds from `add` to the server's confirmation, for what was added here. */
  readonly saved = new Emitter<number>();
  private ops: JournalOp[] = [];
  /** Images of the operations that are on their way to the disk. */
  private readonly storing: number[] = [];
  private readonly since = new Map<number, number>();
  private sending = false;
  private offline = false;
  private signedOut = false;
  private failures = 0;
  private cancelTimer: (() => void) | null = null;
  private closed = false;

  constructor(private readonly options: JournalOptions) {}

  /** Reads what an earlier page left behind and starts to send it. */
  async open(): Promise<void> {
    await this.reload();
    this.notify();
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.cancelTimer?.();
  }

  async add(op: Pick<JournalOp, "imageId" | "maskId" | "kind" | "body">): Promise<void> {
    const full = { ...op, userId: this.options.userId, problem: null };
    const started = this.options.now?.() ?? 0;
    // Already "waiting" while it is being stored: the status line must not say "all saved" for a moment.
    this.storing.push(op.imageId);
    this.notify();
    try {
      const seq = await this.options.store.add(full);
      this.since.set(seq, started);
      if (!this.ops.some((known) => known.seq === seq)) this.ops.push({ ...full, seq });
    } finally {
      this.storing.splice(this.storing.indexOf(op.imageId), 1);
      this.notify();
    }
    this.wake();
  }

  /** Operations of one image that the server has not confirmed and not refused, oldest first. */
  pendingOf(imageId: number): JournalOp[] {
    return this.ops.filter((op) => op.imageId === imageId && !op.problem);
  }

  /** Operations of one image that need a decision. */
  problemsOf(imageId: number): JournalOp[] {
    return this.ops.filter((op) => op.imageId === imageId && op.problem);
  }

  status(): JournalStatus {
    return {
      waiting: this.storing.length + this.queued,
      sending: this.sending,
      offline: this.offline,
      signedOut: this.signedOut,
      problems: this.ops.filter((op) => op.problem),
    };
  }

  /** Sends now what waits: after a sign-in, when the browser is online again, when the person asks. */
  wake(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    if (this.closed || this.sending || this.queued === this.held().size) return;
    const exclusive = this.options.exclusive ?? ((work) => work());
    this.sending = true;
    this.notify();
    // A store that cannot be read is tried again as a server that cannot be reached: later, not at once.
    const round = exclusive(() => this.round()).catch(() => {
      this.failures += 1;
    });
    void round.then(() => {
      this.sending = false;
      this.notify();
      this.schedule();
    });
  }

  /** The person has decided: the refused operation goes again, changed. What builds on it follows by itself. */
  async resend(seq: number, change: Partial<Pick<JournalOp, "maskId" | "body">>): Promise<void> {
    const op = this.ops.find((one) => one.seq === seq);
    if (!op) return;
    const again = { ...op, ...change, problem: null };
    await this.options.store.replace(again);
    this.ops = this.ops.map((one) => (one.seq === seq ? again : one));
    this.notify();
    this.decided.emit({ imageId: op.imageId, dropped: [] });
    this.wake();
  }

  /** The person gives up this operation, and with it what was built on its mask. */
  async discard(seq: number): Promise<void> {
    const first = this.ops.find((op) => op.seq === seq);
    if (!first) return;
    const gone = new Set([first.maskId]);
    const doomed = this.ops.filter((op) => {
      if (op.seq !== seq && !(op.seq > seq && dependsOn(op, gone))) return false;
      gone.add(op.maskId);
      return true;
    });
    for (const op of doomed) await this.options.store.remove(op.seq);
    this.ops = this.ops.filter((op) => !doomed.includes(op));
    this.notify();
    this.decided.emit({ imageId: first.imageId, dropped: [...gone] });
  }

  /** Resolves when nothing of this image is on its way any more: all saved, or waiting for a decision. */
  settled(imageId: number): Promise<void> {
    const busy = () => {
      const held = this.held();
      const coming = this.ops.some((op) => op.imageId === imageId && !op.problem && !held.has(op.seq));
      return coming || this.storing.includes(imageId);
    };
    if (!busy()) return Promise.resolve();
    return new Promise((resolve) => {
      const off = this.changed.on(() => {
        if (busy()) return;
        off();
        resolve();
      });
    });
  }

  private get queued(): number {
    return this.ops.filter((op) => !op.problem).length;
  }

  /** Numbers of the operations that build on a refused one: sent before the decision they would be refused too. */
  private held(): Set<number> {
    const refused = new Set<string>();
    const held = new Set<number>();
    for (const op of this.ops) {
      if (!op.problem && !dependsOn(op, refused)) continue;
      refused.add(op.maskId);
      if (!op.problem) held.add(op.seq);
    }
    return held;
  }

  private async reload(): Promise<void> {
    const all = await this.options.store.all();
    const stored = all.filter((op) => op.userId === this.options.userId).sort((a, b) => a.seq - b.seq);
    // What was added while the store was read is newer than everything read.
    const newest = stored.at(-1)?.seq ?? 0;
    this.ops = [
      ...stored,
      ...this.ops.filter((op) => op.seq > newest && !stored.some((known) => known.seq === op.seq)),
    ];
  }

  private async round(): Promise<void> {
    // Another tab may have sent some of ours, or left some behind: the store knows.
    await this.reload();
    const stuck = new Set<string>();
    let failed = false;
    for (let op = this.next(stuck); op && !this.closed; op = this.next(stuck)) {
      const result = await this.options.send(op);
      this.offline = result.kind === "offline";
      this.signedOut = result.kind === "signed_out";
      if (result.kind === "done") {
        await this.options.store.remove(op.seq);
        const { seq } = op;
        this.ops = this.ops.filter((other) => other.seq !== seq);
        this.confirmed.emit(op);
        const since = this.since.get(seq);
        if (since !== undefined && this.options.now) this.saved.emit(this.options.now() - since);
        this.since.delete(seq);
      } else if (result.kind === "problem") {
        const marked = { ...op, problem: result.problem };
        await this.options.store.replace(marked);
        this.ops = this.ops.map((other) => (other.seq === marked.seq ? marked : other));
        stuck.add(op.maskId);
      } else {
        failed = true;
        if (result.kind !== "busy") break;
        stuck.add(op.maskId);
      }
      this.notify();
    }
    this.failures = failed ? this.failures + 1 : 0;
  }

  private next(stuck: ReadonlySet<string>): JournalOp | undefined {
    const held = this.held();
    return this.ops.find((op) => !op.problem && !held.has(op.seq) && !dependsOn(op, stuck));
  }

  private schedule(): void {
    if (this.closed || this.signedOut || this.queued === this.held().size) return;
    if (this.failures === 0) {
      this.wake();
      return;
    }
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.failures - 1));
    this.cancelTimer = this.options.later(() => this.wake(), delay);
  }

  private notify(): void {
    this.changed.emit(this.status());
  }
}

/** Whether the operation is about one of these masks, or corrects one. */
function dependsOn(op: JournalOp, masks: ReadonlySet<string>): boolean {
  return masks.has(op.maskId) || (typeof op.body?.parent === "string" && masks.has(op.body.parent));
}
