import { beforeEach, expect, it } from "vitest";
import type { MaskRecord } from "../api/types";
import { EMPTY_PATCH, type Patch, paintStroke } from "../core/patch";
import { encodePatch } from "../core/rle";
import { SplitView } from "./splitView";
import { maskRecord } from "./testingRecords";

const size = { width: 40, height: 30 };
const disc = (x: number): Patch => paintStroke(EMPTY_PATCH, [{ x, y: 10 }], 4, 1, size);
const record = (id: string, x: number, part: Partial<MaskRecord> = {}): MaskRecord =>
  maskRecord(id, { segmentation: { size: [30, 40], counts: encodePatch(disc(x), [30, 40]).counts }, ...part });

let answer: () => Promise<MaskRecord[]>;
let notices: string[];
let split: SplitView;

beforeEach(() => {
  notices = [];
  split = new SplitView({
    ask: () => answer(),
    changed: () => undefined,
    notice: (message) => notices.push(message),
  });
});

it("shows every mask as it was first made, and knows what became of it", async () => {
  answer = async () => [
    record("proposed", 8, { status: "superseded", created_by: null, source: "model" }),
    record("corrected", 12, { status: "superseded", parent: "proposed" }),
    record("again", 16, { parent: "corrected" }),
    record("drawn", 30),
    record("gone", 20, { status: "deleted" }),
  ];
  await split.toggle();
  expect(split.before?.map((mask) => [mask.id, mask.last])).toEqual([
    ["proposed", "again"],
    ["drawn", "drawn"],
    ["gone", "gone"],
  ]);
  expect(split.before?.[0]?.patch).toEqual(disc(8));
  await split.toggle();
  expect(split.before).toBeNull();
});

it("keeps the line on the canvas", async () => {
  answer = async () => [record("a", 8)];
  await split.toggle();
  for (const [asked, got] of [
    [0.25, 0.25],
    [-3, 0],
    [1.2, 1],
  ] as const) {
    split.move(asked);
    expect(split.at).toBe(got);
  }
});

it("says why there is nothing to compare with", async () => {
  answer = async () => {
    throw new Error("The server cannot be reached.");
  };
  await split.toggle();
  expect(split.before).toBeNull();
  expect(notices).toEqual(["The server cannot be reached."]);
  answer = async () => [];
  await split.toggle();
  expect(split.before).toEqual([]);
});
