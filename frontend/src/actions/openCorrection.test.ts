import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MaskRecord, Task } from "../api/types";
import type { Draft } from "../core/draft";
import { imagePoint, type Size } from "../core/geometry";
import type { JournalOp } from "../core/journal";
import { EMPTY_PATCH, paintStroke } from "../core/patch";
import { encodePatch } from "../core/rle";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import { MemoryPersonal } from "../storage/database";
import type { EditorSession } from "./editorSession";
import { itemFromRecord } from "./records";
import { maskRecord } from "./testingRecords";
import { openSession } from "./testingSession";

const size: Size = { width: 120, height: 90 };
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const runs = (x: number): MaskRecord["segmentation"] => {
  const disc = paintStroke(EMPTY_PATCH, [{ x, y: 40 }], 10, 1, size);
  return { size: [90, 120], counts: encodePatch(disc, [90, 120]).counts };
};
const record = (id: string, part: Partial<MaskRecord> = {}): MaskRecord =>
  maskRecord(id, { segmentation: runs(30), created_by: "ben", ...part });

let sent: JournalOp[];
let drafts: MemoryPersonal<Draft>;
let session: EditorSession;

beforeEach(() => {
  sent = [];
  drafts = new MemoryPersonal();
});
afterEach(() => session.close());

const open = (...masks: MaskRecord[]) => openSession(size, { masks, sent, drafts, user: 3 });
const stroke = (id: string | null, x = 60) =>
  session.drafting.stroke([{ x, y: 40 }], 6, 1, id === null ? null : session.store.mask(id));
const told = () => sent.map((op) => `${op.kind} < ${op.body?.parent}`);
const names = () => session.store.visible().map((item) => item.category || item.id);

describe("a correction in the making", () => {
  it("is one of the mask that is gone, so that the server asks and no second mask appears", async () => {
    session = open(record("a", { track: "t", status: "proposed", source: "model", created_by: null }));
    session.masks.setLocked(["a"], false);
    stroke("a");
    const gone = itemFromRecord(record("a", { status: "superseded" }));
    session.store.setMask("a", gone, "remote");
    session.accept();
    await settle();
    expect(told()).toEqual(["put < a"]);
  });

  it("is kept under the name that its mask has on the server", async () => {
    session = open(record("a"));
    stroke("a");
    session.accept();
    await settle();
    session.undo(); // the mask is as it was, under another name there, and the correction is open again
    await settle();
    const [, back] = sent;
    session.close();
    sent = [];
    session = open(record(back?.maskId ?? "", { parent: "b" }));
    await session.open();
    session.flow.hold = { kind: "offline", message: "away" };
    await settle();
    session.accept();
    await settle();
    expect(told()).toEqual([`put < ${back?.maskId}`]);
  });

  it("goes on from the mask's new version when the mask is named meanwhile", async () => {
    session = open(record("a"));
    session.select("a");
    stroke("a");
    session.masks.setCategory("a", "cat");
    session.accept();
    await settle();
    expect(told()).toEqual(["put < a", `put < ${sent[0]?.maskId}`]);
    expect(names()).toEqual(["cat"]);
  });

  it("goes with the mask when that is deleted, and both come back", async () => {
    session = open(record("a"));
    stroke("a");
    session.masks.delete("a");
    expect(session.drafting.empty).toBe(true);
    session.undo();
    expect([names(), session.drafting.empty]).toEqual([["a"], false]);
  });
});

it("a mask accepted before the model has answered is saved although the picture was left", async () => {
  const segmenter = new FakeSegmenter(size);
  const decode = segmenter.decode.bind(segmenter);
  let answer: () => void = () => undefined;
  segmenter.decode = async (...asked) => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return decode(...asked);
  };
  session = openSession(size, { sent, drafts, user: 3, segmenter });
  session.drafting.addPoint(imagePoint(50, 40), 1);
  session.accept();
  session.close();
  answer();
  await settle();
  expect(told()).toEqual(["put < null"]);
  expect(await drafts.get(3, 5)).toBeNull();
});

it("a mask made while the hold is away is made under the task that was held", async () => {
  session = open();
  await session.flow.open({ id: 44, kind: "training", lease: "l", image: { id: 5 } } as unknown as Task);
  session.flow.hold = { kind: "offline", message: "busy" };
  stroke(null);
  session.accept();
  await settle();
  expect(sent.map((op) => op.body?.task)).toEqual([44]);
});

it("undo and redo change nothing on an image that is somebody else's by now", async () => {
  session = open();
  stroke(null);
  session.accept();
  await settle();
  session.flow.hold = { kind: "reading", message: "rae is working on this image now." };
  session.undo();
  session.redo();
  await settle();
  expect(sent).toHaveLength(1);
});

it("bringing a discarded proposal back is undone although it is a proposal again", async () => {
  const proposal = { source: "model", created_by: null } as const;
  session = open(record("a", { ...proposal, status: "deleted" }));
  session.masks.restore("a");
  session.store.setMask("a", itemFromRecord(record("a", { ...proposal, status: "proposed" })), "remote");
  session.undo();
  await settle();
  expect(sent.map((op) => op.kind)).toEqual(["restore", "delete"]);
});
