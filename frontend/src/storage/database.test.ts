import "fake-indexeddb/auto";
import { forceCloseDatabase } from "fake-indexeddb";
import { afterEach, expect, it, vi } from "vitest";
import { EMPTY_DRAFT } from "../core/draft";
import { imagePoint } from "../core/geometry";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { openDatabase } from "./database";

afterEach(() => vi.restoreAllMocks());

const op = { userId: 1, imageId: 2, maskId: "a", kind: "put" as const, body: { n: 1 }, problem: null };

it("keeps operations in order across a reload", async () => {
  const first = await openDatabase("one");
  expect(first.durable).toBe(true);
  const seqs = [await first.journal.add(op), await first.journal.add({ ...op, kind: "delete" })];
  const second = await openDatabase("one");
  expect((await second.journal.all()).map((one) => one.seq)).toEqual(seqs);
  await second.journal.remove(seqs[0] ?? 0);
  expect(await second.journal.all()).toHaveLength(1);
});

it("keeps a half-made mask with its painted pixels, by person and image", async () => {
  const patch = paintStroke(EMPTY_PATCH, [imagePoint(5, 5)], 3, 1, { width: 20, height: 20 });
  const draft = { ...EMPTY_DRAFT, edited: patch, edits: 1 };
  const first = await openDatabase("two");
  await first.drafts.set(1, 2, draft);
  const second = await openDatabase("two");
  expect(await second.drafts.get(1, 2)).toEqual(draft);
  expect(await second.drafts.get(1, 3)).toBeNull();
  expect(await second.drafts.get(9, 2)).toBeNull();
  await second.drafts.set(1, 2, null);
  expect(await second.drafts.get(1, 2)).toBeNull();
});

it("keeps the layout of an image for the next visit, and forgets very old ones", async () => {
  const layout = { order: ["a"], hidden: [], locked: ["a"], styles: [["a", 3]] as const };
  const first = await openDatabase("three");
  await first.visits.set(1, 2, { layout, seconds: 4.5, at: Date.now() });
  await first.visits.set(1, 3, { layout, seconds: 1, at: 0 });
  const second = await openDatabase("three");
  expect(await second.visits.get(1, 2)).toMatchObject({ layout, seconds: 4.5 });
  expect(await second.visits.get(1, 3)).toBeNull();
});

it("opens a database of the version before with what waits in it", async () => {
  const { openDB } = await import("idb");
  const old = await openDB("four", 1, {
    upgrade(fresh) {
      fresh.createObjectStore("ops", { keyPath: "seq", autoIncrement: true });
      fresh.createObjectStore("drafts");
    },
  });
  await old.add("ops", op);
  old.close();
  const database = await openDatabase("four");
  expect(database.durable).toBe(true);
  expect(await database.journal.all()).toHaveLength(1);
});

it("opens the database again when the browser has ended the connection", async () => {
  const opening = vi.spyOn(indexedDB, "open");
  const { journal, drafts } = await openDatabase("five");
  await journal.add(op);
  const request = opening.mock.results[0]?.value as IDBOpenDBRequest;
  forceCloseDatabase(request.result as never);
  expect(await journal.add({ ...op, maskId: "b" })).toBe(2);
  await drafts.set(1, 2, EMPTY_DRAFT);
  expect((await journal.all()).map((one) => one.maskId)).toEqual(["a", "b"]);
  expect(opening).toHaveBeenCalledTimes(2);
});

it("tries to open it again later when that did not work at first", async () => {
  const opening = vi.spyOn(indexedDB, "open");
  const { journal } = await openDatabase("six");
  const request = opening.mock.results[0]?.value as IDBOpenDBRequest;
  forceCloseDatabase(request.result as never);
  opening.mockImplementationOnce(() => {
    throw new DOMException("Gone.", "UnknownError");
  });
  await expect(journal.add(op)).rejects.toThrow("Gone.");
  expect(await journal.add(op)).toBe(1);
});
