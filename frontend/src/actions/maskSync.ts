import type { Journal } from "../core/journal";
import { type Change, isCurrent, type MaskItem, type MaskStore } from "../core/maskStore";
import { bodyFromItem } from "./records";

export interface MaskSyncOptions {
  readonly store: MaskStore;
  readonly journal: Pick<Journal, "add">;
  readonly imageId: number;
  readonly taskId: () => number | null;
  readonly newId: () => string;
  /** The browser could not store a change: until it is saved, this page alone has it. */
  readonly onError: () => void;
}

/**
 * Turns local changes of masks, undo and redo included, into journal operations.
 *
 * The server never edits and never brings a superseded mask back. Undoing a correction is therefore one more
 * correction, back to the old pixels, under a new id; `serverIds` remembers under which id a local mask lives there.
 */
export class MaskSync {
  private readonly serverIds = new Map<string, string>();
  /** By the name that a mask got on the server: which one it had there before. */
  private readonly earlier = new Map<string, string>();
  private readonly known: Set<string>;
  /** By the mask that was superseded here: its correction, which is taken back when that one becomes current again. */
  private readonly correctedBy = new Map<string, string>();
  private readonly superseded = new Set<string>();
  private needed: string | undefined;
  private readonly off: () => void;

  /** What the store holds already, the server is taken to know. */
  constructor(private readonly options: MaskSyncOptions) {
    this.known = new Set(options.store.current.masks.keys());
    this.off = options.store.changed.on((set) => {
      for (const change of set.changes) {
        if (change.kind !== "mask") continue;
        if (set.origin === "remote") this.learn(change);
        else this.write(change);
      }
    });
  }

  close(): void {
    this.off();
  }

  serverId(id: string): string {
    return this.serverIds.get(id) ?? id;
  }

  /** The mask here that lives on the server under this id; null for a name it no longer has there. */
  localId(serverId: string): string | null {
    for (const [local, name] of this.serverIds) {
      if (name === serverId) return local;
    }
    return this.serverIds.has(serverId) ? null : serverId;
  }

  /** Runs `work`, whose changes make no sense on the server unless this mask is saved first. */
  needing(id: string | null, work: () => void): void {
    this.needed = id === null ? undefined : this.serverId(id);
    try {
      work();
    } finally {
      this.needed = undefined;
    }
  }

  /** These will never be saved: what was brought back under one of their names has the one it had before. */
  forget(names: readonly string[]): void {
    const gone = new Set(names);
    for (const [local, latest] of this.serverIds) {
      let name: string | undefined = latest;
      while (name !== undefined && gone.has(name)) name = this.earlier.get(name);
      if (name === undefined || name === local) this.serverIds.delete(local);
      else this.serverIds.set(local, name);
    }
    for (const [parent, child] of this.correctedBy) if (gone.has(child)) this.correctedBy.delete(parent);
    for (const name of gone) this.known.delete(name);
  }

  private learn(change: Change & { kind: "mask" }): void {
    if (change.after) this.known.add(change.id);
  }

  private write({ id, before, after }: Change & { kind: "mask" }): void {
    if (before === null && after) {
      this.writeNew(after);
    } else if (before && after === null) {
      // Undone. A correction is taken back when its parent becomes current again, by the next change.
      if (before.parent === null || !this.correctedBy.has(before.parent)) this.add("delete", id);
    } else if (before?.status === "superseded" && after && isCurrent(after)) {
      this.takeBack(after);
    } else if (before && isCurrent(before) && after?.status === "superseded") {
      this.superseded.add(id);
    } else if (after?.status === "deleted") {
      this.add("delete", id);
    } else if (before?.status === "deleted" && after) {
      this.add("restore", id);
    }
  }

  private writeNew(item: MaskItem): void {
    const parent = item.parent;
    const again = this.known.has(item.id);
    this.known.add(item.id);
    // A parent that was gone already does not come back when its correction is undone.
    if (parent && this.superseded.delete(parent)) this.correctedBy.set(parent, item.id);
    if (!again) {
      this.put(item.id, item, parent && this.serverId(parent));
    } else if (parent) {
      this.putAnew(item, this.serverId(parent));
    } else {
      this.add("restore", item.id);
    }
  }

  private takeBack(parent: MaskItem): void {
    const child = this.correctedBy.get(parent.id);
    this.correctedBy.delete(parent.id);
    if (child) this.putAnew(parent, this.serverId(child));
  }

  private putAnew(item: MaskItem, parent: string): void {
    const id = this.options.newId();
    this.earlier.set(id, this.serverId(item.id));
    this.serverIds.set(item.id, id);
    this.put(id, item, parent);
  }

  private put(id: string, item: MaskItem, parent: string | null): void {
    const { imageId } = this.options;
    const body = bodyFromItem(item, imageId, this.options.taskId(), parent);
    this.send({ imageId, maskId: id, kind: "put", body });
  }

  private add(kind: "delete" | "restore", id: string): void {
    const { imageId } = this.options;
    this.send({ imageId, maskId: this.serverId(id), kind, body: null });
  }

  private send(op: Parameters<Journal["add"]>[0]): void {
    const adding = this.options.journal.add(this.needed === undefined ? op : { ...op, needs: this.needed });
    void adding.then((stored) => stored || this.options.onError());
  }
}
