import { beforeEach, expect, it } from "vitest";
import type { JobDetail } from "../api/types";
import { imagePoint } from "../core/geometry";
import { History } from "../core/history";
import { MaskStore } from "../core/maskStore";
import type { Patch } from "../core/patch";
import { encodePatch } from "../core/rle";
import { FakeSegmenter } from "../segmenter/fakeSegmenter";
import { Alike, type AlikeServer, soughtBy } from "./alike";
import { Proposals } from "./proposals";

const size = { width: 80, height: 60 };

const square = (x: number, y: number): Patch => ({ x, y, width: 10, height: 10, data: new Uint8Array(100).fill(1) });

function found(x: number, score: number) {
  return {
    segmentation: encodePatch(square(x, 20), [size.height, size.width]),
    area: 100,
    score,
    predicted_iou: 0.9,
    stability_score: 0.8,
    prompts: [{ type: "box", x0: x, y0: 20, x1: x + 10, y1: 30 }],
  };
}

/** Answers a search after it was asked twice how far it is. */
class Server implements AlikeServer {
  asked: unknown[] = [];
  cancelled: string[] = [];
  fails: string | null = null;
  private looks = 0;

  async findAlike(_image: number, sought: object) {
    this.looks = 0;
    return { id: `job ${this.asked.push(sought)}` };
  }

  async proposeAlike(dataset: number, sought: object, threshold: number) {
    this.asked.push({ dataset, sought, threshold });
    return { id: "proposing" };
  }

  async job() {
    const open = this.looks++ < 2;
    const result = { model: "seen by", category: "plum", masks: [found(0, 0.8), found(20, 0.5), found(40, 0.3)] };
    const state = this.fails ? "failed" : open ? "running" : "succeeded";
    return { state, progress: this.looks / 3, result, error: { message: this.fails } } as unknown as JobDetail;
  }

  async cancelJob(id: string) {
    this.cancelled.push(id);
  }
}

let store: MaskStore;
let server: Server;
let proposals: Proposals;
let alike: Alike;
let notices: string[];

beforeEach(() => {
  store = new MaskStore();
  server = new Server();
  notices = [];
  let ids = 0;
  const notice = (message: string) => notices.push(message);
  const history = new History(store);
  proposals = new Proposals({
    ...{ store, history, imageId: 1, size, notice, stage: "assisted", author: "ben", changed: () => undefined },
    segmenter: new FakeSegmenter(size),
    newId: () => `id-${++ids}`,
    model: () => "fake",
    seconds: () => 2,
  });
  const wait = async () => undefined;
  alike = new Alike({ imageId: 1, dataset: 7, server, proposals, wait, notice, changed: () => undefined });
});

const examples = { examples: ["a"] };

it("shows what is at least half as alike as the best, and the bar shows more or less at once", async () => {
  await alike.find(examples);
  expect(server.asked).toEqual([examples]);
  expect(proposals.threshold).toBeCloseTo(0.4);
  expect(proposals.visible().map((one) => one.score)).toEqual([0.5, 0.8]);
  expect(notices).toEqual(["2 like it."]);
  proposals.setThreshold(0.3);
  expect(proposals.visible()).toHaveLength(3);
  proposals.setThreshold(0.6);
  expect(proposals.visible()).toHaveLength(1);
});

it("makes masks of all that is shown, with name and origin, and one undo takes them back", async () => {
  await alike.find(examples);
  proposals.takeAll();
  const masks = store.visible();
  expect(masks).toHaveLength(2);
  expect(masks[0]).toMatchObject({ category: "plum", model: "seen by", source: "model", status: "accepted" });
  expect(masks[0]?.prompts).toMatchObject([{ type: "box" }]);
  expect(proposals.visible()).toEqual([]);
});

it("takes one by a click on it", async () => {
  await alike.find(examples);
  const id = proposals.take(imagePoint(25, 25));
  expect(store.mask(id ?? "")?.patch.x).toBe(20);
});

it("can be stopped: the job is cancelled and what it finds is not shown", async () => {
  const finding = alike.find(examples);
  await Promise.resolve();
  await Promise.resolve();
  expect(alike.cancel()).toBe(true);
  await finding;
  expect(server.cancelled).toEqual(["job 1"]);
  expect(proposals.visible()).toEqual([]);
  expect(alike.state).toBe("idle");
});

it("says what the server says when the search fails", async () => {
  server.fails = "The examples are gone.";
  await alike.find({ category: "plum" });
  expect(notices).toEqual(["The examples are gone."]);
  expect(alike.state).toBe("idle");
});

it("has the same proposed on other images from the bar that is set", async () => {
  await alike.find(examples);
  proposals.setThreshold(0.35);
  await alike.propose();
  expect(server.asked.at(-1)).toEqual({ dataset: 7, sought: examples, threshold: 0.35 });
});

it("says of a text how many were found, not what they are like", async () => {
  await alike.find({ text: "a red plum" });
  expect(notices).toEqual(["2 found."]);
});

it("takes words for a category's name where there is one, else for a text where those are understood", () => {
  expect(soughtBy("Plum", ["pear", "plum"], true)).toEqual({ category: "plum" });
  expect(soughtBy("a red plum", ["plum"], true)).toEqual({ text: "a red plum" });
  expect(soughtBy("a red plum", ["plum"], false)).toEqual({ category: "a red plum" });
});
