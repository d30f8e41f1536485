import { Emitter } from "./emitter";

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
  /** Calls back after some milliseconds; returns what cancels it. */
  readonly later: (work: () => void, milliseconds: number) => () => void;
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
  private ops: JournalOp[] = [];
  /** Images of the operations that are on their way to the disk. */
  private readonly storing: number[] = [];
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
    // Already "waiting" while it is being stored: the status line must not say "all saved" for a moment.
    this.storing.push(op.imageId);
    this.notify();
    try {
      const seq = await this.options.store.add(full);
      if (!this.ops.some((known) => known.seq === seq)) this.ops.push({ ...full, seq });
    } finally {
      this.storing.splice(this.storing.indexOf(op.imageId), 1);
      this.notify();
    }
    this.wake();
  }

  /** Operations of one image that the server has not confirmed, oldest first. */
  pendingOf(imageId: number): JournalOp[] {
    return this.ops.filter((op) => op.imageId === imageId && !op.problem);
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
    if (this.closed || this.sending || this.queued === 0) return;
    const exclusive = this.options.exclusive ?? ((work) => work());
    this.sending = true;
    this.notify();
    void exclusive(() => this.round()).finally(() => {
      this.sending = false;
      this.notify();
      this.schedule();
    });
  }

  /** The person has seen a problem and gives up this operation. */
  async discard(seq: number): Promise<void> {
    await this.options.store.remove(seq);
    this.ops = this.ops.filter((op) => op.seq !== seq);
    this.notify();
  }

  /** Resolves when nothing of this image waits any more; rejects never: look at the status for problems. */
  settled(imageId: number): Promise<void> {
    const busy = () => this.storing.includes(imageId) || this.pendingOf(imageId).length > 0;
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
    return this.ops.find((op) => !op.problem && !stuck.has(op.maskId));
  }

  private schedule(): void {
    if (this.closed || this.signedOut || this.queued === 0) return;
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
