import { type Change, type MaskStore, sameState } from "./maskStore";

interface Entry {
  readonly label: string;
  readonly changes: readonly Change[];
}

/**
 * Undo and redo per gesture: all local changes made inside one `gesture` come back in one step, whatever time they
 * took. Changes from the server are never recorded, and undoing leaves alone what the server has changed since.
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

  /** Label of what was undone; null when there was nothing. */
  undo(): string | null {
    const entry = this.past.pop();
    if (!entry) return null;
    this.future.push(entry);
    this.replay(entry.changes.toReversed().map(inverse));
    return entry.label;
  }

  redo(): string | null {
    const entry = this.future.pop();
    if (!entry) return null;
    this.past.push(entry);
    this.replay(entry.changes);
    return entry.label;
  }

  clear(): void {
    this.past.length = 0;
    this.future = [];
  }

  private push(entry: Entry): void {
    this.past.push(entry);
    this.future = [];
  }

  private replay(changes: readonly Change[]): void {
    this.replaying = true;
    try {
      for (const change of changes) {
        if (change.kind === "mask" && !sameState(this.store.mask(change.id), change.before)) continue;
        this.store.apply([change], "local");
      }
    } finally {
      this.replaying = false;
    }
  }
}

function inverse(change: Change): Change {
  return change.kind === "draft"
    ? { kind: "draft", before: change.after, after: change.before }
    : { kind: "mask", id: change.id, before: change.after, after: change.before };
}
