import { afterEach, describe, expect, it, vi } from "vitest";
import { api } from "../api/endpoints";
import type { EmbeddingAnswer } from "../api/types";
import { LocalSegmenter } from "./localSegmenter";
import type { FromWorker, ToWorker } from "./protocol";
import type { DecodeRequest } from "./segmenter";

/** A worker that loads whatever it is told to and answers every prompt with nothing; remembers what it was told. */
class ObedientWorker extends EventTarget {
  static readonly told: ToWorker[] = [];

  postMessage(message: ToWorker): void {
    ObedientWorker.told.push(message);
    if (message.kind === "start" || message.kind === "overtake") return;
    const answer: FromWorker =
      message.kind === "decode"
        ? { kind: "decoded", call: message.call, candidates: [], bestLogits: null }
        : { kind: "loaded", call: message.call };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent("message", { data: answer })));
  }

  terminate(): void {}
}

const REQUEST: DecodeRequest = {
  imageId: 1,
  points: [{ x: 3, y: 4 }],
  labels: [1],
  box: null,
  feed: null,
  rough: null,
  purpose: "prompt",
};

function served(model: string): EmbeddingAnswer {
  return {
    state: "ready",
    message: "",
    url: `/api/embeddings/picture/${model}/`,
    model,
    layout: [],
    frame: { original_size: [8, 8], input_size: [8, 8], padded_size: [8, 8] },
    decoder_url: `/api/models/${model}/decoder/`,
    job: null,
  };
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  ObedientWorker.told.length = 0;
});

describe("an image that is open", () => {
  it("keeps the version it was opened with when another one is put into service", async () => {
    vi.stubGlobal("Worker", ObedientWorker);
    const asked = vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    const segmenter = new LocalSegmenter("/wasm/");
    const open = new AbortController();
    await segmenter.prepare(1, () => undefined, open.signal);
    asked.mockResolvedValue(served("new"));
    await segmenter.prepare(2, () => undefined, open.signal); // the next image, fetched ahead
    expect((await segmenter.decode(REQUEST)).model).toBe("old");
    expect((await segmenter.decode({ ...REQUEST, imageId: 2 })).model).toBe("new");
    expect(ObedientWorker.told.filter((one) => one.kind === "load").length).toBe(2);
  });

  it("gets the new version when it is opened again", async () => {
    vi.stubGlobal("Worker", ObedientWorker);
    const asked = vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    const segmenter = new LocalSegmenter("/wasm/");
    const ready: string[] = [];
    const report = (one: { state: string; model?: string }) => one.model && ready.push(one.model);
    await segmenter.prepare(1, report, new AbortController().signal);
    asked.mockResolvedValue(served("new"));
    await segmenter.prepare(1, report, new AbortController().signal);
    expect(ready).toEqual(["old", "old", "new"]);
    expect((await segmenter.decode(REQUEST)).model).toBe("new");
  });
});

describe("a click while a preview is under way", () => {
  const other: DecodeRequest = { ...REQUEST, points: [{ x: 5, y: 6 }] };
  const overtakes = () => ObedientWorker.told.filter((one) => one.kind === "overtake").length;

  it.each([
    ["at another place has it given up", other, 1],
    ["at the same place takes its answer", REQUEST, 0],
  ])("%s", async (_, click, times) => {
    vi.stubGlobal("Worker", ObedientWorker);
    const segmenter = new LocalSegmenter("/wasm/");
    const preview = segmenter.decode({ ...REQUEST, purpose: "hover" });
    const clicked = segmenter.decode(click);
    expect(overtakes()).toBe(times);
    await Promise.all([preview, clicked]);
    await segmenter.decode(other); // nothing is under way any more
    expect(overtakes()).toBe(times);
  });
});
