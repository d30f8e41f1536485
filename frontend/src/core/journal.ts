import { Emitter } from "./emitter";
import type { Later } from "./later";

/** What is to be done to one mask on the server. Kept until the server has confirmed it. */
export interface JournalOp {
  /**
   * The store's number; a fraction above the one before it where the store could not take the operation, and above all
   * others while it is being stored.
   */
  readonly seq: number;
  readonly userId: number;
  readonly imageId: number;
  readonly maskId: string;
  readonly kind: "put" | "delete" | "restore";
  /** The mask record of a put, in the API's form. */
  readonly body: Record<string, unknown> | null;
  /** A mask that has to be saved first, where one gesture is several operations: without it they make no sense. */
  readonly needs?: string;
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
  /** How many, of those waiting and those refused, would be lost with the page. */
  readonly onlyHere: number;
  readonly problems: readonly JournalOp[];
}

export interface JournalOptions {
  readonly store: JournalStore;
  /** False where the store is itself no more than this page's memory. */
  readonly durable?: boolean;
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
/** From the last number to that of an operation which the store could not take; a power of two adds up exactly. */
const BETWEEN = 2 ** -16;
const BEING_STORED = Number.MAX_SAFE_INTEGER;

/**
 * Accepted work on its way to the server. `add` resolves when the operation is on disk; sending, retrying with growing
 * pauses and keeping the order per mask happen behind it. What the browser cannot store is sent from memory all the
 * same, and `status` says so. Operations of other people on this computer are left alone.
 */
export class Journal {
  readonly changed = new Emitter<JournalStatus>();
  readonly confirmed = new Emitter<JournalOp>();
  /**
   * A refused operation was decided upon, here or in another tab, or that tab saved one of ours: what the server has
   * is asked for anew. Masks that will never be saved are named.
   */
  readonly decided = new Emitter<{ readonly imageId: number; readonly dropped: readonly string[] }>();
  /** Milliseconds from `add` to the server's confirmation, for what was added here. */
  readonly saved = new Emitter<number>();
  private ops: JournalOp[] = [];
  /** Operations that are on their way to the disk. */
  private readonly storing: JournalOp[] = [];
  /** Numbers of the operations that the store could not take. */
  private readonly unstored = new Set<number>();
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

  /** Resolves when the operation is on disk, or with false when it could not be stored: then this page alone has it. */
  async add(op: Pick<JournalOp, "imageId" | "maskId" | "kind" | "body" | "needs">): Promise<boolean> {
    const full = { ...op, userId: this.options.userId, problem: null };
    const coming = { ...full, seq: BEING_STORED };
    const started = this.options.now?.() ?? 0;
    // Already "waiting" while it is being stored: the status line must not say "all saved" for a moment.
    this.storing.push(coming);
    this.notify();
    const seq = await this.options.store.add(full).catch(() => this.numberUnstored());
    this.since.set(seq, started);
    if (!this.ops.some((known) => known.seq === seq)) this.ops.push({ ...full, seq });
    this.storing.splice(this.storing.indexOf(coming), 1);
    const stored = !this.unstored.has(seq);
    this.notify();
    this.wake();
    return stored;
  }

  /**
   * Operations of one image that the server has not confirmed and not refused, oldest first. They count from `add` on:
   * an answer of the server that comes while one is being stored is older than it.
   */
  pendingOf(imageId: number): JournalOp[] {
    return [...this.ops, ...this.storing].filter((op) => op.imageId === imageId && !op.problem);
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
      onlyHere: this.options.durable === false ? this.ops.length : this.unstored.size,
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
    // Whatever went wrong in between is tried again as a server that cannot be reached: later, not at once.
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
    await this.replace(again);
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
    // The refused one last: it holds back the others until they are gone.
    for (const op of doomed.toReversed()) await this.remove(op.seq);
    this.notify();
    this.decided.emit({ imageId: first.imageId, dropped: [...gone] });
  }

  /** Resolves when nothing of this image is on its way any more: all saved, or waiting for a decision. */
  settled(imageId: number): Promise<void> {
    const busy = () => {
      const held = this.held();
      return this.pendingOf(imageId).some((op) => !held.has(op.seq));
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

  /** A number after all that is known and before all that will be stored: the order of what builds on one another. */
  private numberUnstored(): number {
    const seq = (this.ops.at(-1)?.seq ?? 0) + BETWEEN;
    this.unstored.add(seq);
    return seq;
  }

  private async replace(op: JournalOp): Promise<void> {
    if (!this.unstored.has(op.seq)) await this.options.store.replace(op);
    this.ops = this.ops.map((other) => (other.seq === op.seq ? op : other));
  }

  private async remove(seq: number): Promise<void> {
    if (!this.unstored.delete(seq)) await this.options.store.remove(seq);
    this.ops = this.ops.filter((other) => other.seq !== seq);
  }

  private async reload(): Promise<void> {
    const before = new Set(this.ops.map((op) => op.seq));
    const all = await this.options.store.all();
    const stored = all.filter((op) => op.userId === this.options.userId).sort((a, b) => a.seq - b.seq);
    const there = new Set(stored.map((op) => op.seq));
    const missing = this.ops.filter((op) => !there.has(op.seq));
    // Here alone is what was added while the store was read, or never was in it. Another tab has finished the rest.
    const mine = missing.filter((op) => !before.has(op.seq) || this.unstored.has(op.seq));
    this.ops = [...stored, ...mine].sort((a, b) => a.seq - b.seq);
    for (const op of missing) if (!mine.includes(op)) this.finishedElsewhere(op);
  }

  /** Saved or given up in another tab: what the server said before that is old. */
  private finishedElsewhere(op: JournalOp): void {
    this.since.delete(op.seq);
    this.confirmed.emit(op);
    this.decided.emit({ imageId: op.imageId, dropped: [] });
  }

  /** Whether the store could be read. */
  private reloaded(): Promise<boolean> {
    return this.reload().then(
      () => true,
      () => false,
    );
  }

  private async round(): Promise<void> {
    // Another tab may have sent some of ours, or left some behind: the store knows. Where it does not answer, only what
    // it never had is sent, and the rest is tried again as with a server that cannot be reached: later, not at once.
    const readable = await this.reloaded();
    const unsure = readable ? [] : this.ops.filter((op) => !this.unstored.has(op.seq));
    const stuck = new Set(unsure.map((op) => op.maskId));
    let failed = !readable;
    for (let op = this.next(stuck); op && !this.closed; op = this.next(stuck)) {
      const result = await this.carry(op);
      this.offline = result === "offline";
      this.signedOut = result === "signed_out";
      if (result === "done") this.confirm(op);
      else stuck.add(op.maskId);
      if (result !== "done" && result !== "problem") failed = true;
      if (this.offline || this.signedOut) break;
      this.notify();
    }
    this.failures = failed ? this.failures + 1 : 0;
  }

  /** Sends one and stores what became of it. Where that cannot be stored it is sent again, which counts once. */
  private async carry(op: JournalOp): Promise<SendResult["kind"]> {
    const result = await this.options.send(op);
    try {
      if (result.kind === "done") await this.remove(op.seq);
      if (result.kind === "problem") await this.replace({ ...op, problem: result.problem });
      return result.kind;
    } catch {
      return "busy";
    }
  }

  private confirm(op: JournalOp): void {
    this.confirmed.emit(op);
    const since = this.since.get(op.seq);
    if (since !== undefined && this.options.now) this.saved.emit(this.options.now() - since);
    this.since.delete(op.seq);
  }

  /** The oldest that can be sent now. What builds on masks that are stuck is stuck with them. */
  private next(stuck: Set<string>): JournalOp | undefined {
    const held = this.held();
    return this.ops.find((op) => {
      if (op.problem || held.has(op.seq)) return false;
      if (!dependsOn(op, stuck)) return true;
      stuck.add(op.maskId);
      return false;
    });
  }

  private schedule(): void {
    if (this.closed || this.queued === this.held().size) return;
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

/** Whether the operation is about one of these masks, corrects one or needs one. */
function dependsOn(op: JournalOp, masks: ReadonlySet<string>): boolean {
  const others = [op.body?.parent, op.needs];
  return masks.has(op.maskId) || others.some((id) => typeof id === "string" && masks.has(id));
}
