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

/** The decoder could not run in this browser at all; somebody else has to answer. */
export class RuntimeUnavailable extends Error {}

interface Call {
  readonly resolve: (message: FromWorker) => void;
  readonly reject: (error: Error) => void;
  readonly onBest?: (best: Candidate) => void;
}

/** ONNX decoder in a Web Worker of this browser, on the embedding that the server's encoder stored. */
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

  constructor(wasmBase: string) {
    this.worker = new Worker(new URL("./decoder.worker.ts", import.meta.url), { type: "module", name: "decoder" });
    this.worker.addEventListener("message", (event: MessageEvent<FromWorker>) => this.answer(event.data));
    this.worker.addEventListener("error", (event) => {
      this.failAll(new RuntimeUnavailable(event.message || "The decoder could not be started in this browser."));
    });
    this.post({ kind: "start", wasmBase });
  }

  async prepare(imageId: number, report: (readiness: Readiness) => void, signal: AbortSignal): Promise<void> {
    const known = this.sources.get(imageId);
    if (known) {
      await this.load(known);
      if (signal.aborted) return;
      report({ state: "ready", model: known.model });
    }
    // Fetched ahead, it answers at once; whether another model serves by now is asked behind its back.
    const source = await waitForEmbedding(imageId, known ? () => undefined : report, signal);
    if (!source || signal.aborted || source.model === known?.model) return;
    if (!known) report({ state: "pending", message: "Loading the model's view of this image", progress: null });
    await this.load(source);
    if (!signal.aborted) report({ state: "ready", model: source.model });
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
    const { bestLogits, candidates } = message;
    const all = [...ahead.map((best) => ({ ...best, logits: bestLogits })), ...candidates];
    return {
      candidates: offered(all, isSinglePoint(request)),
      model: this.sources.get(request.imageId)?.model ?? "",
      milliseconds: performance.now() - started,
    };
  }

  warm(decoderUrl: string): void {
    // What fails here fails again, with somebody to hear it, when an image is opened.
    this.call((call) => ({ kind: "warm", call, decoderUrl })).catch(() => undefined);
  }

  close(): void {
    this.worker.terminate();
    this.failAll(new Overtaken());
  }

  private async load(source: EmbeddingSource): Promise<void> {
    await this.call((call) => ({ kind: "load", call, source }));
    this.sources.set(source.imageId, source);
  }

  private call(make: (call: number) => ToWorker, onBest?: Call["onBest"]): Promise<FromWorker> {
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

  private failAll(error: Error): void {
    for (const call of this.calls.values()) call.reject(error);
    this.calls.clear();
  }
}

/** Whether one answer holds for both. */
function samePrompts(one: DecodeRequest, other: DecodeRequest): boolean {
  const prompts = ({ imageId, points, labels, box, feed, rough }: DecodeRequest) =>
    JSON.stringify([imageId, points, labels, box, feed?.token, rough]);
  return prompts(one) === prompts(other);
}
