import * as ort from "onnxruntime-web/wasm";
import { clickedPart } from "../core/clickedPart";
import { maskPromptLogits } from "../core/maskPrompt";
import { Overtaken } from "../core/newestWins";
import { decodePatch } from "../core/rle";
import { type Frame, Upscaler } from "../core/upscale";
import { fetchBytes, type LoadedDecoder, openDecoder, type ViewedImage } from "./decoderFiles";
import type { RawAnswer } from "./decoderParts";
import { halvesToFloats } from "./float16";
import type { Tensors } from "./keptTensors";
import type { EmbeddingSource } from "./protocol";
import { type Candidate, type DecodeRequest, isSinglePoint } from "./segmenter";

/** Embeddings kept decoded in memory: this image, the next ones and a few to go back to. */
const KEEP = 6;
/** Of these, how many with what a decoder in parts has made of them: 27 MiB each with SAM's. */
const KEEP_VIEWS = 4;
/** Clicks of a rehearsal: the browser takes a few to compile what it runs often. */
const REHEARSALS = 4;
/** Milliseconds without a prompt after which the decoder is free for what nobody waits for. */
const QUIET = 1000;

interface LoadedImage {
  readonly source: EmbeddingSource;
  readonly tensors: Tensors;
  /** What the decoder takes of the image; null: not made yet, or made room for others. */
  views: ViewedImage | null;
  upscaler: Upscaler | null;
}

interface Answer extends RawAnswer {
  /** In pixels of the masks: the one click whose part is kept, or null where all of a mask counts. */
  readonly clicked: { readonly x: number; readonly y: number } | null;
}

/** What became of a request: of several masks the one shown first has gone ahead, and left its logits for later. */
export interface Made {
  readonly candidates: Candidate[];
  readonly bestLogits: Float32Array | null;
  /** Milliseconds from the prompt to logits of what lies in the picture; null where the answer was known. */
  readonly decoding: number | null;
}

/** Padded pixels per pixel of the low-resolution logits, in every model so far. */
const MASK_STRIDE = 4;

/** The decoder on stored embeddings. Lives in the worker; one per page. */
export class DecoderRuntime {
  private readonly images = new Map<number, LoadedImage>();
  private readonly decoders = new Map<string, Promise<LoadedDecoder>>();
  private zeros = new Float32Array(0);
  private askedAt = Number.NEGATIVE_INFINITY;
  private overtaken = false;
  /** Decoders and frames of which a click has been tried. */
  private readonly rehearsed = new Set<string>();
  /** The last answer to prompts alone: who clicks where the pointer rests has been answered by the preview. */
  private last: { readonly image: LoadedImage; readonly prompts: string; readonly answer: Answer } | null = null;

  constructor(private readonly wasmBase: string) {
    // A module of ours stands before the runtime's own, so that its memory can be reached (vite.runtime.ts).
    ort.env.wasm.wasmPaths = { mjs: `${wasmBase}runtime.mjs`, wasm: `${wasmBase}ort-wasm-simd-threaded.wasm` };
  }

  /** Fetches the embedding and the decoder (both immutable, so the HTTP cache answers after the first time). */
  async load(source: EmbeddingSource): Promise<void> {
    const known = this.images.get(source.imageId);
    if (known && known.source.model === source.model) {
      this.images.delete(source.imageId);
      this.images.set(source.imageId, known);
      await this.decoder(source.decoderUrl);
      return;
    }
    const [bytes] = await Promise.all([fetchBytes(source.url), this.decoder(source.decoderUrl)]);
    const image = { source, tensors: tensorsFrom(bytes, source.layout), views: null, upscaler: null };
    const replaced = this.images.get(source.imageId);
    if (replaced) this.freeViews(replaced);
    this.images.set(source.imageId, image);
    for (const other of [...this.images.values()].slice(0, -KEEP_VIEWS)) this.freeViews(other);
    const oldest = this.images.keys().next().value;
    if (this.images.size > KEEP && oldest !== undefined) this.images.delete(oldest);
    if (this.quietIn() === 0) await this.rehearse(image);
    else this.whenQuiet(() => void this.rehearse(image).catch(() => undefined)); // a click would say why
  }

  private quietIn(): number {
    return Math.max(0, this.askedAt + QUIET - performance.now());
  }

  private whenQuiet(work: () => void): void {
    setTimeout(() => (this.quietIn() === 0 ? work() : this.whenQuiet(work)), this.quietIn());
  }

  /** The first clicks on a frame of new size allocate and compile: some on its middle that nobody waits for. */
  private async rehearse(image: LoadedImage): Promise<void> {
    const { decoderUrl, frame } = image.source;
    const key = `${decoderUrl} ${frame.paddedSize.join()}`;
    if (this.images.get(image.source.imageId) !== image) return;
    await this.viewsOf(image);
    if (this.rehearsed.has(key)) return;
    this.rehearsed.add(key);
    const [height, width] = frame.originalSize;
    const click: DecodeRequest = {
      imageId: image.source.imageId,
      points: [{ x: width / 2, y: height / 2 }],
      labels: [1],
      box: null,
      feed: null,
      rough: null,
      purpose: "hover",
    };
    await turn();
    await this.ask(click, image, turn);
    void this.rehearseAgain(click, image).catch(() => undefined); // a click would say why
  }

  /** Gives way to whoever asks. */
  private async rehearseAgain(click: DecodeRequest, image: LoadedImage): Promise<void> {
    for (let times = 1; times < REHEARSALS; times++) {
      await turn();
      if (this.quietIn() > 0 || this.images.get(click.imageId) !== image) return;
      await this.ask(click, image, turn);
    }
  }

  private async viewsOf(image: LoadedImage): Promise<ViewedImage> {
    const decoder = await this.decoder(image.source.decoderUrl);
    image.views ??= decoder.view(image.tensors);
    return image.views;
  }

  private freeViews(image: LoadedImage): void {
    if (this.last?.image === image) this.last = null;
    image.views?.free();
    image.views = null;
  }

  /** Loads runtime and decoder without an image. */
  async warm(decoderUrl: string): Promise<void> {
    await this.decoder(decoderUrl);
  }

  /** The masks asked for. Of several the one shown first goes to `onBest` as soon as it is made, the others come back. */
  async decode(request: DecodeRequest, onBest: (best: Candidate) => void): Promise<Made> {
    const image = this.images.get(request.imageId);
    if (!image) throw new TypeError("This image's embedding is not loaded.");
    this.askedAt = performance.now();
    this.overtaken = false;
    this.images.delete(request.imageId);
    this.images.set(request.imageId, image); // the last one to make room for others
    const { points, labels, box, feed, rough } = request;
    const prompts = feed || rough ? null : JSON.stringify([points, labels, box]);
    const known = this.last?.image === image && this.last.prompts === prompts ? this.last.answer : null;
    const between = request.purpose === "hover" ? () => this.letOthersIn() : async () => undefined;
    const started = performance.now();
    const answer = known ?? (await this.ask(request, image, between));
    const decoding = known ? null : performance.now() - started;
    if (prompts !== null) this.last = { image, prompts, answer };
    return { ...this.candidates(request, image, answer, onBest), decoding };
  }

  /** A click waits for the preview of another place: what of that has not been begun is not done any more. */
  overtake(): void {
    this.overtaken = true;
  }

  private async ask(request: DecodeRequest, image: LoadedImage, between: () => Promise<void>): Promise<Answer> {
    const decoder = await this.decoder(image.source.decoderUrl);
    const [paddedHeight, paddedWidth] = image.source.frame.paddedSize;
    const maskShape = decoder.fixedMaskShape ?? ([paddedHeight / MASK_STRIDE, paddedWidth / MASK_STRIDE] as const);
    const prompts = promptFeeds(request, image.source, maskShape, this.blank(maskShape));
    const { frame } = image.source;
    const answer = await (await this.viewsOf(image)).answer(prompts, frame, between);
    return {
      ...answer,
      ious: answer.ious.map((iou) => Math.min(1, Math.max(0, iou))),
      clicked: decoder.onePart ? loneClick(request, frame) : null,
    };
  }

  private async letOthersIn(): Promise<void> {
    await turn();
    if (this.overtaken) throw new Overtaken();
  }

  /** What goes in the place of a mask where none is given: zeros, made once per size. */
  private blank([height, width]: readonly [number, number]): Float32Array {
    if (this.zeros.length !== height * width) this.zeros = new Float32Array(height * width);
    return this.zeros;
  }

  private candidates(
    { purpose, atLeastIou = 0, ...request }: DecodeRequest,
    image: LoadedImage,
    answer: Answer,
    onBest: (best: Candidate) => void,
  ): Omit<Made, "decoding"> {
    const { ious } = answer;
    const [, count = 0, height = 0, width = 0] = answer.masks.dims;
    const upscaler = image.upscaler ?? new Upscaler(image.source.frame, height, width);
    image.upscaler = upscaler;
    const logits = logitsOf(answer);
    const make = (token: number): Candidate => {
      const mask = upscaler.mask(logits(token));
      return { token, predictedIou: ious[token] ?? 0, ...mask, segmentation: null, logits: null };
    };
    const single = isSinglePoint(request);
    const tokens = Array.from({ length: count }, (_, token) => token).filter((token) => !single || token > 0);
    const all = (some: readonly number[]) => ({ candidates: some.map(make), bestLogits: null });
    if (purpose === "grid") return all(tokens.filter((token) => (ious[token] ?? 0) >= atLeastIou));
    const best = bestTokens(tokens, ious, single);
    if (purpose === "hover") return all(best.slice(0, 1));
    // Between equals their areas decide, which are not known yet: then none goes ahead.
    const ahead = best.length === 1 ? best[0] : undefined;
    if (ahead !== undefined) onBest(make(ahead));
    answer.complete();
    // What is fed back leaves this thread, so it needs a copy of its own.
    const fed = (token: number) => logits(token).slice();
    const others = tokens.filter((token) => token !== ahead);
    return {
      candidates: others.map((token) => ({ ...make(token), logits: fed(token) })),
      bestLogits: ahead === undefined ? null : fed(ahead),
    };
  }

  private decoder(url: string): Promise<LoadedDecoder> {
    const known = this.decoders.get(url);
    if (known) return known;
    const loading = openDecoder(url, this.wasmBase);
    this.decoders.set(url, loading);
    // A failed download must be tried again next time, not remembered.
    loading.catch(() => this.decoders.delete(url));
    return loading;
  }
}

/** Lets messages in that have come meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Logits of a token's mask, row-major; after a lone click, of what hangs together under it. */
function logitsOf({ masks, clicked }: Answer): (token: number) => Float32Array {
  const [, , height = 0, width = 0] = masks.dims;
  const made = new Map<number, Float32Array>();
  return (token) => {
    const known = made.get(token);
    if (known) return known;
    const own = masks.data.subarray(token * height * width, (token + 1) * height * width);
    const logits = clicked ? clickedPart(own, width, height, clicked.x, clicked.y) : own;
    made.set(token, logits);
    return logits;
  };
}

/** The only prompt, in pixels of the masks, where that is one click that adds. */
function loneClick({ points, labels, box, feed, rough }: DecodeRequest, { originalSize, inputSize }: Frame) {
  const [point, ...others] = points;
  if (!point || others.length > 0 || labels[0] !== 1 || box || feed || rough) return null;
  return {
    x: (point.x * inputSize[1]) / originalSize[1] / MASK_STRIDE,
    y: (point.y * inputSize[0]) / originalSize[0] / MASK_STRIDE,
  };
}

/** Which masks may be the one shown first, as `bestOf` will choose; more than one where the model rates them alike. */
function bestTokens(tokens: readonly number[], ious: Float32Array, single: boolean): readonly number[] {
  if (!single) return [0];
  const highest = Math.max(...tokens.map((token) => ious[token] ?? 0));
  return tokens.filter((token) => ious[token] === highest);
}

function tensorsFrom(bytes: ArrayBuffer, layout: EmbeddingSource["layout"]): Tensors {
  const tensors: Tensors = {};
  let offset = 0;
  for (const { name, shape } of layout) {
    const length = shape.reduce((product, side) => product * side, 1);
    if ((offset + length) * 2 > bytes.byteLength) throw new TypeError("The stored embedding is shorter than it says.");
    const floats = halvesToFloats(new Uint16Array(bytes, offset * 2, length));
    tensors[name] = new ort.Tensor("float32", floats, [1, ...shape]);
    offset += length;
  }
  return tensors;
}

/** Prompts in input-frame pixels. Box corners are points with labels 2 and 3; without a box SAM wants a pad point. */
function promptFeeds(
  request: DecodeRequest,
  source: EmbeddingSource,
  maskShape: readonly [number, number],
  blank: Float32Array,
): Tensors {
  const { originalSize, inputSize } = source.frame;
  const scaleX = inputSize[1] / originalSize[1];
  const scaleY = inputSize[0] / originalSize[0];
  const coordinates: number[] = [];
  const labels: number[] = [];
  const add = (x: number, y: number, label: number) => {
    coordinates.push(x * scaleX, y * scaleY);
    labels.push(label);
  };
  request.points.forEach((point, index) => {
    add(point.x, point.y, request.labels[index] ?? 1);
  });
  if (request.box) {
    add(request.box.x0, request.box.y0, 2);
    add(request.box.x1, request.box.y1, 3);
  } else {
    add(0, 0, -1);
  }
  const [height, width] = maskShape;
  const { feed, rough } = request;
  const logits = feed?.logits ?? (rough && maskPromptLogits(decodePatch(rough), source.frame, height, width));
  const usable = logits !== null && logits.length === height * width;
  return {
    point_coords: new ort.Tensor("float32", Float32Array.from(coordinates), [1, labels.length, 2]),
    point_labels: new ort.Tensor("float32", Float32Array.from(labels), [1, labels.length]),
    mask_input: new ort.Tensor("float32", usable ? logits : blank, [1, 1, height, width]),
    has_mask_input: new ort.Tensor("float32", Float32Array.of(usable ? 1 : 0), [1]),
  };
}
