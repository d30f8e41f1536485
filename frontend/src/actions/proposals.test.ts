import { beforeEach, expect, it } from "vitest";
import { imagePoint } from "../core/geometry";
import { History } from "../core/history";
import { MaskStore } from "../core/maskStore";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import type { Decoded, DecodeRequest } from "../segmenter/segmenter";
import { Proposals } from "./proposals";

const size = { width: 80, height: 80 };

/** Sure of what lies at the upper left, less so elsewhere. */
class UnevenSegmenter extends FakeSegmenter {
  override async decode(request: DecodeRequest): Promise<Decoded> {
    const answer = await super.decode(request);
    const [point = { x: 0, y: 0 }] = request.points;
    const predictedIou = point.x < 40 && point.y < 40 ? 0.9 : 0.4;
    return { ...answer, candidates: answer.candidates.slice(-1).map((one) => ({ ...one, predictedIou })) };
  }
}

let store: MaskStore;
let history: History;
let segmenter: FakeSegmenter;
let proposals: Proposals;
let notices: string[];

beforeEach(() => {
  store = new MaskStore();
  history = new History(store);
  segmenter = new UnevenSegmenter(size);
  notices = [];
  let ids = 0;
  proposals = new Proposals({
    store,
    history,
    segmenter,
    imageId: 1,
    size,
    stage: "assisted",
    author: "ben",
    newId: () => `id-${++ids}`,
    model: () => "fake",
    seconds: () => 2,
    changed: () => undefined,
    notice: (message) => notices.push(message),
  });
});

it("asks a grid over the whole image, once, and keeps one of what is alike", async () => {
  await Promise.all([proposals.run(), proposals.run()]);
  expect(segmenter.requests).toHaveLength(256);
  expect(segmenter.requests.every((request) => request.purpose === "grid")).toBe(true);
  expect(proposals.state).toBe("done");
  proposals.setThreshold(0.2);
  const all = proposals.visible();
  expect(all.length).toBeGreaterThan(20);
  expect(all.length).toBeLessThan(256);
  proposals.setThreshold(0.8);
  expect(proposals.visible().every((one) => one.point.x < 40 && one.point.y < 40)).toBe(true);
});

it("gives a mask with its provenance for a click, and undo gives the proposal back", async () => {
  await proposals.run();
  const point = proposals.visible()[0]?.point ?? imagePoint(0, 0);
  const before = proposals.visible().length;
  const id = proposals.take(point) ?? "";
  expect(store.mask(id)).toMatchObject({ source: "model", model: "fake", status: "accepted", seconds: 2, chosen: 0 });
  expect(store.mask(id)?.prompts).toMatchObject([{ type: "point", label: 1 }]);
  expect(proposals.visible().length).toBeLessThan(before);
  history.undo();
  expect(store.mask(id)).toBeNull();
  expect(proposals.visible()).toHaveLength(before);
});

it("waves one away, and says so where there is nothing to take", async () => {
  await proposals.run();
  const all = proposals.visible().length;
  proposals.dismiss(proposals.visible()[0]?.point ?? imagePoint(0, 0));
  expect(proposals.visible()).toHaveLength(all - 1);
  proposals.reset();
  expect(proposals.take(imagePoint(40, 40))).toBeNull();
  expect(notices.at(-1)).toContain("no proposal here");
});

it("stops when told to, and can be asked again", async () => {
  const running = proposals.run();
  expect(proposals.cancel()).toBe(true);
  await running;
  expect(segmenter.requests.length).toBeLessThan(10);
  expect(proposals.cancel()).toBe(false);
  proposals.reset();
  await proposals.run();
  expect(proposals.state).toBe("done");
});

it("lets somebody's own click go first, and asks that point again", async () => {
  const { Overtaken } = await import("../core/newestWins");
  const decode = segmenter.decode.bind(segmenter);
  let overtaken = 0;
  segmenter.decode = async (request) => {
    if (++overtaken <= 3) throw new Overtaken();
    return decode(request);
  };
  await proposals.run();
  expect(segmenter.requests).toHaveLength(256);
  expect(notices.at(-1)).toMatch(/objects? (was|were) found/);
});
