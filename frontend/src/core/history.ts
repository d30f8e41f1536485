import type { Draft } from "./draft";
import { type Change, isCurrent, type MaskItem, type MaskStore, sameState } from "./maskStore";
import type { Patch } from "./patch";
import { type PackedPatch, packPatch, unpackPatch } from "./rle";

interface Entry {
  readonly label: string;
  readonly changes: readonly (Change | PackedChange)[];
}

/** What undo or redo came to. */
export interface Replayed {
  readonly label: string;
  /** False where others had changed since all that it was about. */
  readonly changed: boolean;
}

/** A draft whose painted pixels are kept as run lengths. */
interface PackedDraft {
  readonly draft: Draft;
  readonly edited: PackedPatch | null;
}

interface PackedChange {
  readonly kind: "packed";
  readonly before: PackedDraft;
  readonly after: PackedDraft;
}

/** Gestures nearest to now keep their pixels as they are, so that going back and forth a little costs nothing. */
const UNPACKED = 8;

/**
 * Undo and redo per gesture: all local changes made inside one `gesture` come back in one step, whatever time they
 * took. Changes from the server are never recorded, and undoing leaves alone what the server has changed since.
 *
 * There is no limit, so what lies further back is packed: hundreds of strokes on a large mask would otherwise each hold
 * on to all of its pixels.
 */
export class History {
  private readonly past: Entry[] = [];
  private future: Entry[] = [];
  private open: { label: string; changes: Change[] } | null = null;
  private replaying = false;

  constructor(private readonly store: MaskStore) {
    store.changed.on((set) => {
      if (set.origin !== "local" || this.replaying) return;
      if (this.open) {
        this.open.changes.push(...set.changes);
      } else {
        this.push({ label: "Change", changes: set.changes });
      }
    });
  }

  /** Runs `work`; its local changes become one entry. A gesture inside a gesture joins the outer one. */
  gesture<T>(label: string, work: () => T): T {
    if (this.open) return work();
    const entry = { label, changes: [] as Change[] };
    this.open = entry;
    try {
      return work();
    } finally {
      this.open = null;
      if (entry.changes.length > 0) this.push(entry);
    }
  }

  get undoLabel(): string | null {
    return this.past.at(-1)?.label ?? null;
  }

  get redoLabel(): string | null {
    return this.future.at(-1)?.label ?? null;
  }

  get depth(): number {
    return this.past.length;
  }

  /** What was undone; null when there was nothing. */
  undo(): Replayed | null {
    const entry = this.past.pop();
    if (!entry) return null;
    const changes = entry.changes.map(unpacked);
    this.future.push({ label: entry.label, changes });
    packFar(this.future);
    return { label: entry.label, changed: this.replay(changes.toReversed().map(inverse)) };
  }

  redo(): Replayed | null {
    const entry = this.future.pop();
    if (!entry) return null;
    const changes = entry.changes.map(unpacked);
    this.past.push({ label: entry.label, changes });
    packFar(this.past);
    return { label: entry.label, changed: this.replay(changes) };
  }

  clear(): void {
    this.past.length = 0;
    this.future = [];
  }

  private push(entry: Entry): void {
    this.past.push(entry);
    this.future = [];
    packFar(this.past);
  }

  /** What others changed meanwhile is left alone. A mask whose accept was undone is told of as deleted by the server. */
  private isAsBefore(id: string, before: MaskItem | null): boolean {
    const now = this.store.mask(id);
    if (before === null) return now === null || now.status === "deleted";
    // What came out of the bin is what it was before, as the server alone knows: accepted or proposed.
    const alike = now !== null && isCurrent(now) && isCurrent(before) ? { ...now, status: before.status } : now;
    return sameState(alike, before);
  }

  /** Whether a change is left alone; then so is that of what the mask corrects, and of its correction. */
  private isLeft({ id, before, after }: Change & { kind: "mask" }, left: Set<string>): boolean {
    const pair = [id, (before ?? after)?.parent ?? id];
    if (this.isAsBefore(id, before) && !pair.some((one) => left.has(one))) return false;
    for (const one of pair) left.add(one);
    return true;
  }

  private replay(changes: readonly Change[]): boolean {
    const left = new Set<string>();
    let changed = false;
    this.replaying = true;
    try {
      for (const change of changes) {
        if (change.kind === "mask" && this.isLeft(change, left)) continue;
        this.store.apply([change], "local");
        changed = true;
      }
    } finally {
      this.replaying = false;
    }
    return changed;
  }
}

/** Packs the one entry of a stack that has just become far. */
function packFar(stack: Entry[]): void {
  const at = stack.length - 1 - UNPACKED;
  const entry = stack[at];
  if (entry) stack[at] = { label: entry.label, changes: entry.changes.map(packed) };
}

/** The same pixels follow one another in a history, after one gesture and before the next: they are packed once. */
const packs = new WeakMap<Patch, PackedPatch>();

function packedDraft(draft: Draft): PackedDraft {
  const { edited } = draft;
  if (!edited) return { draft, edited: null };
  const pack = packs.get(edited) ?? packPatch(edited);
  packs.set(edited, pack);
  return { draft: { ...draft, edited: null }, edited: pack };
}

function packed(change: Change | PackedChange): Change | PackedChange {
  if (change.kind !== "draft") return change;
  return { kind: "packed", before: packedDraft(change.before), after: packedDraft(change.after) };
}

function unpacked(change: Change | PackedChange): Change {
  if (change.kind !== "packed") return change;
  const whole = ({ draft, edited }: PackedDraft) => (edited ? { ...draft, edited: unpackPatch(edited) } : draft);
  return { kind: "draft", before: whole(change.before), after: whole(change.after) };
}

function inverse(change: Change): Change {
  return change.kind === "draft"
    ? { kind: "draft", before: change.after, after: change.before }
    : { kind: "mask", id: change.id, before: change.after, after: change.before };
}
