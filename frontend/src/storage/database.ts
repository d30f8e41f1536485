import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { Draft } from "../core/draft";
import type { JournalOp, JournalStore } from "../core/journal";
import type { KeptLayout } from "../core/layout";
import { MemoryJournal } from "../core/memoryJournal";

interface Schema extends DBSchema {
  ops: { key: number; value: Omit<JournalOp, "seq"> & { seq?: number } };
  drafts: { key: string; value: Draft };
  visits: { key: string; value: Visit };
}

/** What a visit to an image left behind in this browser. */
export interface Visit {
  readonly layout: KeptLayout;
  /** Active seconds that the server has not been told yet. */
  readonly seconds: number;
  /** When it was left, milliseconds since 1970. */
  readonly at: number;
}

/** Values by person and image. */
export interface PersonalStore<Value> {
  get(userId: number, imageId: number): Promise<Value | null>;
  /** Null forgets it. */
  set(userId: number, imageId: number, value: Value | null): Promise<void>;
}

/** Half-made masks by person and image. */
export type DraftStore = PersonalStore<Draft>;
export type VisitStore = PersonalStore<Visit>;

export interface LocalDatabase {
  readonly journal: JournalStore;
  readonly drafts: DraftStore;
  readonly visits: VisitStore;
  /** False where the browser gives no storage (some private windows): then a reload loses what is not yet saved. */
  readonly durable: boolean;
}

/** Visits older than this are forgotten when the database is opened: layouts are a comfort, not work. */
const VISIT_DAYS = 60;

export async function openDatabase(name = "anymask"): Promise<LocalDatabase> {
  try {
    const database = await openDB<Schema>(name, 2, {
      upgrade(fresh, before) {
        if (before < 1) {
          fresh.createObjectStore("ops", { keyPath: "seq", autoIncrement: true });
          fresh.createObjectStore("drafts");
        }
        if (before < 2) fresh.createObjectStore("visits");
      },
    });
    await forgetOldVisits(database);
    return {
      journal: new IdbJournal(database),
      drafts: new IdbPersonal(database, "drafts"),
      visits: new IdbPersonal(database, "visits"),
      durable: true,
    };
  } catch {
    return { journal: new MemoryJournal(), drafts: new MemoryPersonal(), visits: new MemoryPersonal(), durable: false };
  }
}

async function forgetOldVisits(database: IDBPDatabase<Schema>): Promise<void> {
  const oldest = Date.now() - VISIT_DAYS * 86_400_000;
  const { store, done } = database.transaction("visits", "readwrite");
  for (let cursor = await store.openCursor(); cursor; cursor = await cursor.continue()) {
    if (cursor.value.at < oldest) await cursor.delete();
  }
  await done;
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

class IdbPersonal<Name extends "drafts" | "visits"> implements PersonalStore<Schema[Name]["value"]> {
  constructor(
    private readonly database: IDBPDatabase<Schema>,
    private readonly name: Name,
  ) {}

  async get(userId: number, imageId: number): Promise<Schema[Name]["value"] | null> {
    return (await this.database.get(this.name, `${userId}:${imageId}`)) ?? null;
  }

  async set(userId: number, imageId: number, value: Schema[Name]["value"] | null): Promise<void> {
    const key = `${userId}:${imageId}`;
    if (value) await this.database.put(this.name, value, key);
    else await this.database.delete(this.name, key);
  }
}

export class MemoryPersonal<Value> implements PersonalStore<Value> {
  private readonly values = new Map<string, Value>();

  async get(userId: number, imageId: number): Promise<Value | null> {
    return this.values.get(`${userId}:${imageId}`) ?? null;
  }

  async set(userId: number, imageId: number, value: Value | null): Promise<void> {
    if (value) this.values.set(`${userId}:${imageId}`, value);
    else this.values.delete(`${userId}:${imageId}`);
  }
}
