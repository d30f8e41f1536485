import { sleep } from "../api/sleep";
import { NewestWins, Overtaken } from "../core/newestWins";
import { EMPTY_PATCH } from "../core/patch";
import { waitForEmbedding } from "./embeddings";
import type { EmbeddingSource, FromWorker, ToWorker } from "./protocol";
import {
  type Candidate,
  type Decoded,
  type DecodeRequest,
  isSinglePoint,
  offered,
  type Readiness,
  type Segmenter,
} from "./segmenter";

/** Milliseconds before each further try to load what the server has said is there. */
const PAUSES = [500, 1000, 2000, 4000];
const UNREACHED = "The model's view of this image could not be loaded. Reload the page to try again.";

/** The decoder could not run in this browser at all; somebody else has to answer. */
export class RuntimeUnavailable extends Error {}

interface Call {
  readonly resolve: (message: FromWorker) => void;
  readonly reject: (error: Error) => void;
  readonly onBest?: (best: Candidate) => void;
}

/** The decoder in a Web Worker of this browser, on the embedding that the server's encoder stored. */
export class LocalSegmenter implements Segmenter {
  readonly place = "browser";
  private readonly worker: Worker;
  private readonly calls = new Map<number, Call>();
  /** What the worker has loaded, or had and can load again from the browser's cache. */
  private readonly sources = new Map<number, EmbeddingSource>();
  private readonly queue = new NewestWins();
  /** What was asked last, if it was a preview. */
  private preview: DecodeRequest | null = null;
  private nextCall = 1;
  /** Why the worker answers no more, whatever it is asked. */
  private gone: Error | null = null;

  constructor(wasmBase: string) {
    this.worker = new Worker(new URL("./decoder.worker.ts", import.meta.url), { type: "module", name: "decoder" });
    this.worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.answer(event.data));
    this.worker.addEventListener("error", (event) => {
      this.giveUp(new RuntimeUnavailable(event.message || "The decoder could not be started in this browser."));
    });
    this.post({ kind: "start", wasmBase });
  }

  async prepare(imageId: number, report: (readiness: Readiness) => void, signal: AbortSignal): Promise<void> {
    const known = await this.loadedAgain(imageId);
    if (signal.aborted) return;
    if (known) report({ state: "ready", model: known.model });
    // Fetched ahead, it answers at once; whether another model serves by now is asked behind its back.
    const tell = known ? () => undefined : report;
    for (let tries = 0; ; tries += 1) {
      // Asked before every try: a server that is away is waited for, and what it threw away meanwhile is made anew.
      const source = await waitForEmbedding(imageId, tell, signal);
      if (!source || signal.aborted || source.model === known?.model) return;
      tell({ state: "pending", message: "Loading the model's view of this image", progress: null });
      const loaded = await this.load(source);
      if (signal.aborted) return;
      if (loaded) return report({ state: "ready", model: source.model });
      const pause = PAUSES[tries];
      if (pause === undefined) return tell({ state: "failed", message: UNREACHED });
      tell({ state: "pending", message: "Waiting for the server", progress: null });
      await sleep(pause, signal);
    }
  }

  async decode(request: DecodeRequest, onBest?: (best: Candidate) => void): Promise<Decoded> {
    if (request.purpose === "hover" && this.queue.busy) throw new Overtaken();
    if (request.purpose === "grid") await this.queue.idle();
    if (this.queue.busy && this.preview && !samePrompts(this.preview, request)) this.post({ kind: "overtake" });
    const feed: Candidate | null = request.feed && { ...request.feed, patch: EMPTY_PATCH, segmentation: null };
    const started = performance.now();
    const ahead: Candidate[] = [];
    const early = (best: Candidate) => {
      ahead.push(best);
      onBest?.(best);
    };
    const message = await this.queue.do(() => {
      this.preview = request.purpose === "hover" ? request : null;
      return this.call((call) => ({ kind: "decode", call, request: { ...request, feed } }), early);
    });
    if (message.kind !== "decoded") throw new Error("The decoder gave an unexpected answer.");
    const { bestLogits, candidates, decoding } = message;
    const all = [...ahead.map((best) => ({ ...best, logits: bestLogits })), ...candidates];
    return {
      candidates: offered(all, isSinglePoint(request)),
      model: this.sources.get(request.imageId)?.model ?? "",
      milliseconds: performance.now() - started,
      decoding,
    };
  }

  warm(decoderUrl: string): void {
    // What fails here fails again, with somebody to hear it, when an image is opened.
    this.call((call) => ({ kind: "warm", call, decoderUrl })).catch(() => undefined);
  }

  close(reason: Error = new Overtaken()): void {
    this.worker.terminate();
    this.giveUp(reason);
  }

  /** What was loaded before; null if it cannot be again: the worker has forgotten it, and its bytes cannot be had. */
  private async loadedAgain(imageId: number): Promise<EmbeddingSource | null> {
    const known = this.sources.get(imageId);
    return known && (await this.load(known)) ? known : null;
  }

  /** False when the bytes could not be had, which may be over soon. */
  private async load(source: EmbeddingSource): Promise<boolean> {
    try {
      await this.call((call) => ({ kind: "load", call, source }));
    } catch (error) {
      if (this.gone || error instanceof RuntimeUnavailable) throw error;
      return false;
    }
    this.sources.set(source.imageId, source);
    return true;
  }

  private call(make: (call: number) => ToWorker, onBest?: Call["onBest"]): Promise<FromWorker> {
    if (this.gone) return Promise.reject(this.gone);
    const call = this.nextCall++;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject, onBest });
      this.post(make(call));
    });
  }

  private post(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private answer(message: FromWorker): void {
    const call = this.calls.get(message.call);
    if (message.kind === "best") {
      call?.onBest?.(message.candidate);
      return;
    }
    this.calls.delete(message.call);
    if (message.kind === "overtaken") call?.reject(new Overtaken());
    else if (message.kind !== "failed") call?.resolve(message);
    else call?.reject(message.runtime ? new RuntimeUnavailable(message.message) : new Error(message.message));
  }

  /** Nothing that is under way will be answered, and nothing that is asked from now on. The first reason stays. */
  private giveUp(reason: Error): void {
    this.gone ??= reason;
    for (const call of this.calls.values()) call.reject(this.gone);
    this.calls.clear();
  }
}

/** Whether one answer holds for both. */
function samePrompts(one: DecodeRequest, other: DecodeRequest): boolean {
  const prompts = ({ imageId, points, labels, box, feed, rough }: DecodeRequest) =>
    JSON.stringify([imageId, points, labels, box, feed?.token, rough]);
  return prompts(one) === prompts(other);
}
