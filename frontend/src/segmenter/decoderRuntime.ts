import * as ort from "onnxruntime-web/wasm";
import { clickedPart } from "../core/clickedPart";
import { maskPromptLogits } from "../core/maskPrompt";
import { decodePatch } from "../core/rle";
import { type Frame, Upscaler } from "../core/upscale";
import { halvesToFloats } from "./float16";
import type { EmbeddingSource } from "./protocol";
import { type Candidate, type DecodeRequest, isSinglePoint } from "./segmenter";

/** Embeddings kept decoded in memory: this image, the next ones and a few to go back to. */
const KEEP = 6;

interface LoadedImage {
  readonly source: EmbeddingSource;
  readonly tensors: Record<string, ort.Tensor>;
  upscaler: Upscaler | null;
}

interface LoadedDecoder {
  readonly session: ort.InferenceSession;
  /** Height and width of `mask_input` where the graph fixes them; SAM's does, the compact model follows the frame. */
  readonly fixedMaskShape: readonly [number, number] | null;
  /**
   * A lone click is answered by what hangs together under it. The file says so in its metadata, which this runtime does
   * not show; only the compact model's decoders, which do so, take a map named "fine".
   */
  readonly onePart: boolean;
}

/** What the graph said: four masks as low-resolution logits, and what it thinks of each. */
interface Answer {
  readonly masks: ort.Tensor;
  readonly ious: Float32Array;
  /** In pixels of the masks: the one click whose part is kept, or null where all of a mask counts. */
  readonly clicked: { readonly x: number; readonly y: number } | null;
}

/** Padded pixels per pixel of the low-resolution logits, in every model so far. */
const MASK_STRIDE = 4;

/** ONNX decoder on stored embeddings. Lives in the worker; one per page. */
export class DecoderRuntime {
  private readonly images = new Map<number, LoadedImage>();
  private readonly decoders = new Map<string, Promise<LoadedDecoder>>();
  /** The last answer to prompts alone: who clicks where the pointer rests has been answered by the preview. */
  private last: { readonly image: LoadedImage; readonly prompts: string; readonly answer: Answer } | null = null;

  constructor(wasmBase: string) {
    ort.env.wasm.wasmPaths = wasmBase;
    // Four at most: more threads make a small decoder slower.
    const cores = self.navigator.hardwareConcurrency || 1;
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.max(1, Math.min(4, cores)) : 1;
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
    this.images.set(source.imageId, { source, tensors: tensorsFrom(bytes, source.layout), upscaler: null });
    const oldest = this.images.keys().next().value;
    if (this.images.size > KEEP && oldest !== undefined) this.images.delete(oldest);
  }

  /** Loads runtime and decoder without an image. */
  async warm(decoderUrl: string): Promise<void> {
    await this.decoder(decoderUrl);
  }

  /** The masks asked for. Of several the one shown first goes to `onBest` as soon as it is made, the others come back. */
  async decode(request: DecodeRequest, onBest: (best: Candidate) => void): Promise<Candidate[]> {
    const image = this.images.get(request.imageId);
    if (!image) throw new TypeError("This image's embedding is not loaded.");
    const { points, labels, box, feed, rough } = request;
    const prompts = feed || rough ? null : JSON.stringify([points, labels, box]);
    const known = this.last?.image === image && this.last.prompts === prompts ? this.last.answer : null;
    const answer = known ?? (await this.ask(request, image));
    if (prompts !== null) this.last = { image, prompts, answer };
    return this.candidates(request, image, answer, onBest);
  }

  private async ask(request: DecodeRequest, image: LoadedImage): Promise<Answer> {
    const decoder = await this.decoder(image.source.decoderUrl);
    const [paddedHeight, paddedWidth] = image.source.frame.paddedSize;
    const maskShape = decoder.fixedMaskShape ?? ([paddedHeight / MASK_STRIDE, paddedWidth / MASK_STRIDE] as const);
    const feeds = { ...image.tensors, ...promptFeeds(request, image.source, maskShape) };
    const results = await decoder.session.run(feeds);
    const ious = (results.iou_predictions as ort.Tensor).data as Float32Array;
    return {
      masks: results.low_res_masks as ort.Tensor,
      ious: ious.map((iou) => Math.min(1, Math.max(0, iou))),
      clicked: decoder.onePart ? loneClick(request, image.source.frame) : null,
    };
  }

  private candidates(
    { purpose, atLeastIou = 0, ...request }: DecodeRequest,
    image: LoadedImage,
    { masks, ious, clicked }: Answer,
    onBest: (best: Candidate) => void,
  ): Candidate[] {
    const [, count = 0, height = 0, width = 0] = masks.dims;
    const upscaler = image.upscaler ?? new Upscaler(image.source.frame, height, width);
    image.upscaler = upscaler;
    const data = masks.data as Float32Array;
    const single = isSinglePoint(request);
    const make = (token: number): Candidate => {
      const answered = data.slice(token * height * width, (token + 1) * height * width);
      const logits = clicked ? clickedPart(answered, width, height, clicked.x, clicked.y) : answered;
      const mask = upscaler.mask(logits);
      const predictedIou = ious[token] ?? 0;
      return { token, predictedIou, ...mask, segmentation: null, logits: purpose === "prompt" ? logits : null };
    };
    const tokens = Array.from({ length: count }, (_, token) => token).filter((token) => !single || token > 0);
    if (purpose === "grid") return tokens.filter((token) => (ious[token] ?? 0) >= atLeastIou).map(make);
    const best = bestTokens(tokens, ious, single);
    if (purpose === "hover") return best.slice(0, 1).map(make);
    // Between equals their areas decide, which are not known yet.
    if (best.length > 1) return tokens.map(make);
    for (const token of best) onBest(make(token));
    return tokens.filter((token) => !best.includes(token)).map(make);
  }

  private decoder(url: string): Promise<LoadedDecoder> {
    const known = this.decoders.get(url);
    if (known) return known;
    const loading = openDecoder(url);
    this.decoders.set(url, loading);
    // A failed download must be tried again next time, not remembered.
    loading.catch(() => this.decoders.delete(url));
    return loading;
  }
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

async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new TypeError(`The server answered ${response.status} for model data.`);
  return response.arrayBuffer();
}

async function openDecoder(url: string): Promise<LoadedDecoder> {
  const bytes = await fetchBytes(url);
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const mask = session.inputMetadata.find((input) => input.name === "mask_input");
  const [, , height, width] = mask?.isTensor ? mask.shape : [];
  const fixed = typeof height === "number" && typeof width === "number" && height > 0 && width > 0;
  return { session, fixedMaskShape: fixed ? [height, width] : null, onePart: session.inputNames.includes("fine") };
}

function tensorsFrom(bytes: ArrayBuffer, layout: EmbeddingSource["layout"]): Record<string, ort.Tensor> {
  const tensors: Record<string, ort.Tensor> = {};
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
): Record<string, ort.Tensor> {
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
    mask_input: new ort.Tensor("float32", usable ? logits : new Float32Array(height * width), [1, 1, height, width]),
    has_mask_input: new ort.Tensor("float32", Float32Array.of(usable ? 1 : 0), [1]),
  };
}
