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

type Database = IDBPDatabase<Schema>;
type Connect = () => Promise<Database>;

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
  const connect = connectionTo(name);
  try {
    await forgetOldVisits(await connect());
    return {
      journal: new IdbJournal(connect),
      drafts: new IdbPersonal(connect, "drafts"),
      visits: new IdbPersonal(connect, "visits"),
      durable: true,
    };
  } catch {
    return { journal: new MemoryJournal(), drafts: new MemoryPersonal(), visits: new MemoryPersonal(), durable: false };
  }
}

/** Gives the one connection. One that the browser has ended, for lack of memory or disk, is opened anew. */
function connectionTo(name: string): Connect {
  let opened: Promise<Database> | null = null;
  const forget = () => {
    opened = null;
  };
  return () => {
    if (opened) return opened;
    opened = openDB<Schema>(name, 2, {
      upgrade(fresh, before) {
        if (before < 1) {
          fresh.createObjectStore("ops", { keyPath: "seq", autoIncrement: true });
          fresh.createObjectStore("drafts");
        }
        if (before < 2) fresh.createObjectStore("visits");
      },
      terminated: forget,
    });
    opened.catch(forget);
    return opened;
  };
}

async function forgetOldVisits(database: Database): Promise<void> {
  const oldest = Date.now() - VISIT_DAYS * 86_400_000;
  const { store, done } = database.transaction("visits", "readwrite");
  for (let cursor = await store.openCursor(); cursor; cursor = await cursor.continue()) {
    if (cursor.value.at < oldest) await cursor.delete();
  }
  await done;
}

class IdbJournal implements JournalStore {
  constructor(private readonly connect: Connect) {}

  async all(): Promise<JournalOp[]> {
    const database = await this.connect();
    return (await database.getAll("ops")) as JournalOp[];
  }

  async add(op: Omit<JournalOp, "seq">): Promise<number> {
    // Strict: the promise resolves when the operation has reached the disk, not just the browser's memory.
    const { store, done } = (await this.connect()).transaction("ops", "readwrite", { durability: "strict" });
    const [seq] = await Promise.all([store.add(op), done]);
    return seq;
  }

  async replace(op: JournalOp): Promise<void> {
    await (await this.connect()).put("ops", op);
  }

  async remove(seq: number): Promise<void> {
    await (await this.connect()).delete("ops", seq);
  }
}

class IdbPersonal<Name extends "drafts" | "visits"> implements PersonalStore<Schema[Name]["value"]> {
  constructor(
    private readonly connect: Connect,
    private readonly name: Name,
  ) {}

  async get(userId: number, imageId: number): Promise<Schema[Name]["value"] | null> {
    const database = await this.connect();
    return (await database.get(this.name, `${userId}:${imageId}`)) ?? null;
  }

  async set(userId: number, imageId: number, value: Schema[Name]["value"] | null): Promise<void> {
    const key = `${userId}:${imageId}`;
    const database = await this.connect();
    if (value) await database.put(this.name, value, key);
    else await database.delete(this.name, key);
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
