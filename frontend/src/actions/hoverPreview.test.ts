import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { imagePoint } from "../core/geometry";
import { Timings } from "../core/latency";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import type { Decoded, DecodeRequest } from "../segmenter/segmenter";
import { HoverPreview } from "./hoverPreview";

const size = { width: 120, height: 90 };

class TimedSegmenter extends FakeSegmenter {
  milliseconds = 1;

  override async decode(request: DecodeRequest): Promise<Decoded> {
    return { ...(await super.decode(request)), milliseconds: this.milliseconds };
  }
}

let segmenter: TimedSegmenter;
let preview: HoverPreview;
const asked = () => segmenter.requests.map((request) => request.points[0]?.x);

beforeEach(() => {
  vi.useFakeTimers();
  segmenter = new TimedSegmenter(size);
  const noop = () => undefined;
  preview = new HoverPreview({ segmenter, imageId: 1, timings: new Timings(), wanted: () => true, changed: noop });
});

afterEach(() => vi.useRealTimers());

async function move(...columns: number[]): Promise<void> {
  for (const x of columns) {
    preview.at(imagePoint(x, 45));
    await vi.advanceTimersByTimeAsync(16);
  }
}

it("follows the pointer with a quick decoder", async () => {
  await move(10, 20, 30);
  expect(asked()).toEqual([10, 20, 30]);
});

it("asks a slow decoder only where the pointer rests, so that it is free for the click", async () => {
  segmenter.milliseconds = 200;
  await move(10, 20, 30, 40);
  expect(asked()).toEqual([10]);
  await vi.advanceTimersByTimeAsync(100);
  expect(asked()).toEqual([10, 40]);
  preview.at(imagePoint(50, 45));
  preview.at(null);
  await vi.advanceTimersByTimeAsync(100);
  expect(asked()).toEqual([10, 40]);
});

it("knows what it has shown at a point, also when it is shown no more, but not of another model", async () => {
  await move(10);
  const { patch } = preview;
  preview.clear();
  expect(preview.patch).toBeNull();
  expect(preview.answerTo({ x: 10, y: 45 })?.patch).toBe(patch);
  expect(preview.answerTo({ x: 11, y: 45 })).toBeNull();
  preview.forget();
  expect(preview.answerTo({ x: 10, y: 45 })).toBeNull();
});
