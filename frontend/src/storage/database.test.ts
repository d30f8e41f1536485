import "fake-indexeddb/auto";
import { expect, it } from "vitest";
import { EMPTY_DRAFT } from "../core/draft";
import { imagePoint } from "../core/geometry";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { openDatabase } from "./database";

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
