import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { Draft } from "../core/draft";
import type { JournalOp, JournalStore } from "../core/journal";
import { MemoryJournal } from "../core/memoryJournal";

interface Schema extends DBSchema {
  ops: { key: number; value: Omit<JournalOp, "seq"> & { seq?: number } };
  drafts: { key: string; value: Draft };
}

/** Half-made masks by person and image. */
export interface DraftStore {
  get(userId: number, imageId: number): Promise<Draft | null>;
  /** Null forgets it. */
  set(userId: number, imageId: number, draft: Draft | null): Promise<void>;
}

export interface LocalDatabase {
  readonly journal: JournalStore;
  readonly drafts: DraftStore;
  /** False where the browser gives no storage (some private windows): then a reload loses what is not yet saved. */
  readonly durable: boolean;
}

export async function openDatabase(name = "anymask"): Promise<LocalDatabase> {
  try {
    const database = await openDB<Schema>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore("ops", { keyPath: "seq", autoIncrement: true });
        fresh.createObjectStore("drafts");
      },
    });
    return { journal: new IdbJournal(database), drafts: new IdbDrafts(database), durable: true };
  } catch {
    return { journal: new MemoryJournal(), drafts: new MemoryDrafts(), durable: false };
  }
}

class IdbJournal implements JournalStore {
  constructor(private readonly database: IDBPDatabase<Schema>) {}

  async all(): Promise<JournalOp[]> {
    return (await this.database.getAll("ops")) as JournalOp[];
  }

  async add(op: Omit<JournalOp, "seq">): Promise<number> {
    // Strict: the promise resolves when the operation has reached the disk, not just the browser's memory.
    const transaction = this.database.transaction("ops", "readwrite", { durability: "strict" });
    const key = await transaction.store.add(op);
    await transaction.done;
    return key;
  }

  async replace(op: JournalOp): Promise<void> {
    await this.database.put("ops", op);
  }

  async remove(seq: number): Promise<void> {
    await this.database.delete("ops", seq);
  }
}

class IdbDrafts implements DraftStore {
  constructor(private readonly database: IDBPDatabase<Schema>) {}

  async get(userId: number, imageId: number): Promise<Draft | null> {
    return (await this.database.get("drafts", `${userId}:${imageId}`)) ?? null;
  }

  async set(userId: number, imageId: number, draft: Draft | null): Promise<void> {
    const key = `${userId}:${imageId}`;
    if (draft) await this.database.put("drafts", draft, key);
    else await this.database.delete("drafts", key);
  }
}

export class MemoryDrafts implements DraftStore {
  private readonly drafts = new Map<string, Draft>();

  async get(userId: number, imageId: number): Promise<Draft | null> {
    return this.drafts.get(`${userId}:${imageId}`) ?? null;
  }

  async set(userId: number, imageId: number, draft: Draft | null): Promise<void> {
    if (draft) this.drafts.set(`${userId}:${imageId}`, draft);
    else this.drafts.delete(`${userId}:${imageId}`);
  }
}
