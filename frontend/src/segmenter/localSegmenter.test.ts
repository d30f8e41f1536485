import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api } from "../api/endpoints";
import type { EmbeddingAnswer } from "../api/types";
import { Overtaken } from "../core/newestWins";
import { FallbackSegmenter } from "./fallbackSegmenter";
import { LocalSegmenter, RuntimeUnavailable } from "./localSegmenter";
import type { FromWorker, ToWorker } from "./protocol";
import type { DecodeRequest, Readiness } from "./segmenter";

/** A worker that loads whatever it is told to and answers every prompt with nothing; remembers what it was told. */
class ObedientWorker extends EventTarget {
  static readonly told: ToWorker[] = [];

  postMessage(message: ToWorker): void {
    ObedientWorker.told.push(message);
    if (message.kind === "start" || message.kind === "overtake") return;
    const answer: FromWorker =
      message.kind === "decode"
        ? { kind: "decoded", call: message.call, candidates: [], bestLogits: null, decoding: 5 }
        : { kind: "loaded", call: message.call };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent("message", { data: answer })));
  }

  terminate(): void {}
}

/** Says of each load in turn whether the bytes come; all do when nothing is left to say. */
class FlakyWorker extends ObedientWorker {
  static readonly loads: ("ok" | "lost" | "broken")[] = [];

  override postMessage(message: ToWorker): void {
    const fate = message.kind === "load" ? FlakyWorker.loads.shift() : "ok";
    if (message.kind !== "load" || fate === "ok" || fate === undefined) {
      super.postMessage(message);
      return;
    }
    ObedientWorker.told.push(message);
    const data = { kind: "failed", call: message.call, message: fate, runtime: fate === "broken" };
    queueMicrotask(() => this.dispatchEvent(new MessageEvent("message", { data })));
  }
}

/** A worker whose file cannot be loaded: it hears nothing, and the browser says so once. */
class DeadWorker extends EventTarget {
  static readonly made: DeadWorker[] = [];

  constructor() {
    super();
    DeadWorker.made.push(this);
  }

  postMessage(): void {}

  terminate(): void {}

  die(): void {
    this.dispatchEvent(new Event("error"));
  }
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
  vi.useRealTimers();
  ObedientWorker.told.length = 0;
  FlakyWorker.loads.length = 0;
  DeadWorker.made.length = 0;
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

const loads = () => ObedientWorker.told.filter((one) => one.kind === "load").length;

/** Opens an image and notes what is told of it; goes on until nothing more is waited for. */
async function opened(segmenter: LocalSegmenter, signal = new AbortController().signal): Promise<string[]> {
  const told: string[] = [];
  const report = (one: Readiness) => void told.push(one.state === "ready" ? `ready ${one.model}` : one.message);
  const ready = segmenter.prepare(1, report, signal);
  ready.catch(() => undefined);
  await vi.runAllTimersAsync();
  await ready;
  return told;
}

describe("a network that fails while an image is loaded", () => {
  const LOADING = "Loading the model's view of this image";
  const WAITING = "Waiting for the server";

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("Worker", FlakyWorker);
  });

  it("is waited for, and the image is ready when it is back", async () => {
    const asked = vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    FlakyWorker.loads.push("lost", "lost");
    const told = await opened(new LocalSegmenter("/wasm/"));
    expect(told).toEqual([LOADING, WAITING, LOADING, WAITING, LOADING, "ready old"]);
    expect(asked).toHaveBeenCalledTimes(3);
  });

  it("leaves the image without the model only after some tries", async () => {
    vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    FlakyWorker.loads.push(...Array(9).fill("lost"));
    const told = await opened(new LocalSegmenter("/wasm/"));
    expect(told.at(-1)).toMatch(/could not be loaded/);
    expect(loads()).toBe(5);
  });

  it("is waited for no more when the image is left", async () => {
    vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    FlakyWorker.loads.push(...Array(9).fill("lost"));
    const left = new AbortController();
    setTimeout(() => left.abort(), 700);
    const told = await opened(new LocalSegmenter("/wasm/"), left.signal);
    expect(told).toEqual([LOADING, WAITING, LOADING, WAITING]);
  });

  it("has the server make anew what it threw away since the image was open", async () => {
    const asked = vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    const segmenter = new LocalSegmenter("/wasm/");
    await opened(segmenter);
    asked.mockResolvedValueOnce({ ...served("old"), state: "pending", message: "Reading the image" });
    FlakyWorker.loads.push("lost");
    expect(await opened(segmenter)).toEqual(["Reading the image", LOADING, "ready old"]);
  });

  it("keeps the version that is loaded when a newer one cannot be", async () => {
    const asked = vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    const segmenter = new LocalSegmenter("/wasm/");
    await opened(segmenter);
    asked.mockResolvedValue(served("new"));
    FlakyWorker.loads.push("ok", ...Array(9).fill("lost"));
    expect(await opened(segmenter)).toEqual(["ready old"]);
    expect((await segmenter.decode(REQUEST)).model).toBe("old");
  });

  it("is not taken for a browser that cannot run the decoder, nor the other way round", async () => {
    vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    FlakyWorker.loads.push("lost", "broken");
    await expect(opened(new LocalSegmenter("/wasm/"))).rejects.toBeInstanceOf(RuntimeUnavailable);
    expect(loads()).toBe(2);
  });
});

describe("a worker that cannot start", () => {
  it("has the server answer, also when nobody was waiting as it failed", async () => {
    vi.stubGlobal("Worker", DeadWorker);
    vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    const reasons: string[] = [];
    const segmenter = new FallbackSegmenter("/wasm/", "browser", (reason) => reasons.push(reason));
    segmenter.warm("/api/models/old/decoder/");
    DeadWorker.made[0]?.die();
    const told: Readiness[] = [];
    await segmenter.prepare(1, (one) => told.push(one), new AbortController().signal);
    expect(told.at(-1)).toEqual({ state: "ready", model: "old" });
    expect(segmenter.place).toBe("server");
    expect(reasons).toEqual(["The decoder could not be started in this browser."]);
  });

  it("has the server answer for every image that was being opened", async () => {
    vi.stubGlobal("Worker", FlakyWorker);
    const asked = vi.spyOn(api, "embedding").mockResolvedValue(served("old"));
    const segmenter = new FallbackSegmenter("/wasm/", "browser", () => undefined);
    const open = new AbortController().signal;
    let answer: (value: EmbeddingAnswer) => void = () => undefined;
    asked.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const told: Readiness[] = [];
    const slow = segmenter.prepare(2, (one) => told.push(one), open);
    FlakyWorker.loads.push("broken");
    await segmenter.prepare(1, () => undefined, open);
    answer(served("old"));
    await slow;
    expect(told.at(-1)).toEqual({ state: "ready", model: "old" });
  });

  it("answers nothing once it is closed, and keeps nobody waiting", async () => {
    vi.stubGlobal("Worker", DeadWorker);
    const segmenter = new LocalSegmenter("/wasm/");
    const under = segmenter.decode(REQUEST);
    segmenter.close();
    await expect(under).rejects.toBeInstanceOf(Overtaken);
    await expect(segmenter.decode(REQUEST)).rejects.toBeInstanceOf(Overtaken);
  });
});
