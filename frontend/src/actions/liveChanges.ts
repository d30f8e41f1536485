import { ApiError } from "../api/client";
import type { ChangesAnswer, Holder, MaskRecord, TaskKind } from "../api/types";
import type { Journal, JournalOp } from "../core/journal";
import type { Later } from "../core/later";
import { isCurrent, type MaskItem, type MaskStore, sameState } from "../core/maskStore";
import { afterwards } from "./afterwards";
import type { MaskSync } from "./maskSync";
import { itemFromRecord } from "./records";

export interface LiveOptions {
  readonly imageId: number;
  readonly me: string;
  readonly store: MaskStore;
  readonly journal: Pick<Journal, "pendingOf" | "problemsOf" | "status" | "wake" | "confirmed" | "decided">;
  readonly sync: Pick<MaskSync, "localId" | "serverId" | "forget">;
  readonly ask: (imageId: number, since: string | null) => Promise<ChangesAnswer>;
  /** Who has the image now, as the server says. */
  readonly onHolder: (task: Holder | null) => void;
  readonly onConnection: () => void;
  readonly notice: (message: string) => void;
  readonly later?: Later;
}

const APART: ReadonlySet<TaskKind> = new Set(["training", "overlap"]);
const EVERY = 3000;
const LONGEST = 15_000;

/**
 * Brings in what others do to the image while it is open. It asks every few seconds, and at once when the page is
 * looked at again; a question that fails is the sign that the server cannot be reached, one that succeeds wakes the
 * journal. What this browser has changed and the server does not know yet is never overwritten.
 */
export class LiveChanges {
  connected = true;
  private cursor: string | null = null;
  private shownFor: TaskKind = "annotate";
  private failures = 0;
  private asking = false;
  private hidden = false;
  private closed = false;
  private confirmed = 0;
  private cancelTimer: () => void = () => undefined;
  private readonly offs: (() => void)[];

  constructor(private readonly options: LiveOptions) {
    const { journal, store, imageId } = options;
    this.offs = [
      journal.confirmed.on(() => {
        this.confirmed += 1;
      }),
      journal.decided.on((decision) => {
        if (decision.imageId !== imageId) return;
        const dropped = decision.dropped.filter((id) => store.mask(id) !== null);
        store.setMasks(new Map(dropped.map((id) => [id, null])), "remote");
        options.sync.forget(decision.dropped);
        // What the decision brought back here, the server knows.
        this.cursor = null;
        void this.look();
      }),
    ];
  }

  /** Given the answer that the editor began with. */
  start({ at, task }: Pick<ChangesAnswer, "at" | "task">): void {
    this.cursor = at;
    this.shownFor = task?.kind ?? "annotate";
    void this.look();
  }

  /**
   * Whose masks an image shows depends on the work: those of a trainee or a second person are apart from the dataset's.
   * Where the editor began with others, as when a lease had ended before, everything is asked for.
   */
  takenUp(kind: TaskKind): void {
    if (kind === this.shownFor || ![kind, this.shownFor].some((one) => APART.has(one))) return;
    this.shownFor = kind;
    this.cursor = null;
    void this.look();
  }

  close(): void {
    this.closed = true;
    this.cancelTimer();
    for (const off of this.offs) off();
  }

  setHidden(hidden: boolean): void {
    this.hidden = hidden;
    if (!hidden) void this.look();
  }

  /** Asks once, now. */
  async look(): Promise<void> {
    if (this.asking || this.closed || this.hidden) return;
    this.asking = true;
    this.cancelTimer();
    const { imageId } = this.options;
    const [since, confirmed] = [this.cursor, this.confirmed];
    try {
      const answer = await this.options.ask(imageId, since);
      if (this.closed) return;
      this.failures = 0;
      this.setConnected(true);
      // An answer from before our own change arrived there would undo it here; the next one knows.
      if (this.confirmed === confirmed && this.cursor === since) {
        const whole = this.apply(answer, since === null);
        // What was passed over is told again: the change on its way may be old news there, or be refused.
        if (whole) this.cursor = answer.at;
      }
      this.options.onHolder(answer.task);
    } catch (error) {
      this.failures += 1;
      if (error instanceof ApiError && (error.offline || error.status >= 500)) this.setConnected(false);
    } finally {
      this.asking = false;
      if (!this.closed && !this.hidden) {
        const pause = Math.min(LONGEST, EVERY * 1.5 ** Math.max(0, this.failures - 2));
        this.cancelTimer = (this.options.later ?? afterwards)(() => void this.look(), pause);
      }
    }
  }

  private setConnected(connected: boolean): void {
    const { journal, onConnection } = this.options;
    if (connected && journal.status().offline) journal.wake();
    if (connected === this.connected) return;
    this.connected = connected;
    onConnection();
  }

  /** Takes in what others changed; false if something was passed over for the sake of what is on its way from here. */
  private apply(answer: ChangesAnswer, complete: boolean): boolean {
    const { me, store, sync, journal, imageId } = this.options;
    const onItsWay = masksOf(journal.pendingOf(imageId));
    const ours = new Set([...onItsWay, ...journal.problemsOf(imageId).map((op) => op.maskId)]);
    const changed = new Map<string, MaskItem | null>(complete ? this.unknown(answer.masks, ours) : []);
    const authors = new Map<string, number>();
    for (const record of answer.masks) {
      const id = sync.localId(record.id);
      if (id === null || ours.has(record.id)) continue;
      const before = store.mask(id);
      const after = this.inLine(id, before, record);
      if (sameState(before, after) && before?.track === after?.track) continue;
      changed.set(id, after);
      const seen = (before !== null && isCurrent(before)) || (after !== null && isCurrent(after));
      if (seen && record.created_by && record.created_by !== me) {
        authors.set(record.created_by, (authors.get(record.created_by) ?? 0) + 1);
      }
    }
    store.setMasks(changed, "remote");
    for (const [author, count] of authors) {
      this.options.notice(count === 1 ? `${author} changed a mask here.` : `${author} changed ${count} masks here.`);
    }
    return !answer.masks.some((record) => onItsWay.has(record.id));
  }

  /** The mask as the server has it, under its name here. */
  private inLine(id: string, local: MaskItem | null, record: MaskRecord): MaskItem | null {
    const { store, sync } = this.options;
    if (record.status === "superseded") {
      // Superseded here too: by our own correction, which undo may take back. Or by somebody else's while ours is in the
      // making: known still, so that the server refuses ours and the person is asked.
      const kept = local?.status === "superseded" || store.draft.parent === id;
      return local && kept ? { ...local, status: "superseded" } : null;
    }
    const parent = record.parent === null ? null : (sync.localId(record.parent) ?? record.parent);
    return { ...itemFromRecord(record), id, parent };
  }

  /** Current masks here of which the server's complete answer says nothing: they are gone. */
  private unknown(records: readonly MaskRecord[], ours: ReadonlySet<string>): [string, null][] {
    const { store, sync } = this.options;
    const known = new Set(records.map((record) => record.id));
    const gone = store.visible().filter(({ id }) => {
      const name = sync.serverId(id);
      return !known.has(name) && !ours.has(name);
    });
    return gone.map(({ id }) => [id, null]);
  }
}

/** Server ids of the masks that these operations are about, and of those that they correct. */
function masksOf(ops: readonly JournalOp[]): Set<string> {
  const parents = ops.flatMap((op) => (typeof op.body?.parent === "string" ? [op.body.parent] : []));
  return new Set([...ops.map((op) => op.maskId), ...parents]);
}
