import * as ort from "onnxruntime-web/wasm";
import type { Frame } from "../core/upscale";
import { DecoderInParts, type RawAnswer, type Tensors } from "./decoderParts";

/** A decoder ready to run. */
export interface LoadedDecoder {
  /** What `answer` takes of an image, from its embedding: the same, or what the first of its parts makes of it. */
  readonly viewsOf: (embedding: Tensors) => Promise<Tensors>;
  readonly answer: (views: Tensors, prompts: Tensors, frame: Frame) => Promise<RawAnswer>;
  /** Height and width of `mask_input` where the graph fixes them; SAM's does, the compact model follows the frame. */
  readonly fixedMaskShape: readonly [number, number] | null;
  /**
   * A lone click is answered by what hangs together under it. The file says so in its metadata, which this runtime does
   * not show; only the compact model's decoders, which do so, take a map named "fine".
   */
  readonly onePart: boolean;
}

/** Bytes of a decoder from which a click is worth every core: SAM's has 16 MB, the compact model's 3. */
const LARGE = 8e6;
/** More threads make even a large decoder slower. */
const MOST_THREADS = 4;

/**
 * Threads of the runtime, which it starts with its first decoder and keeps. A small one is done in a few milliseconds and
 * leaves a core to the page, whose painting its threads would otherwise wait for at each of hundreds of steps.
 */
function startThreads(large: boolean): void {
  const cores = self.navigator.hardwareConcurrency || 1;
  const wanted = Math.max(1, Math.min(MOST_THREADS, large ? cores : cores - 1));
  ort.env.wasm.numThreads = self.crossOriginIsolated ? wanted : 1;
}

export async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new TypeError(`The server answered ${response.status} for model data.`);
  return response.arrayBuffer();
}

/** A SAM decoder comes in parts, which are quicker. Others, and those registered before there were parts, come whole. */
export async function openDecoder(url: string): Promise<LoadedDecoder> {
  const parts = await partsOf(url);
  const files = await Promise.all((parts.length > 0 ? parts : [url]).map(fetchBytes));
  startThreads(files.some((bytes) => bytes.byteLength > LARGE));
  const sessions: ort.InferenceSession[] = [];
  for (const bytes of files) sessions.push(await openSession(bytes));
  const [first, sketch, drawing] = sessions;
  if (first && sketch && drawing) return inParts(new DecoderInParts({ views: first, sketch, drawing }), sketch);
  return whole(first as ort.InferenceSession);
}

/** Addresses of the parts, in the order in which they run; none where the server does not name them. */
async function partsOf(url: string): Promise<string[]> {
  try {
    const response = await fetch(url, { method: "HEAD", credentials: "same-origin" });
    const names = response.ok ? (response.headers.get("X-Decoder-Parts") ?? "") : "";
    return names ? names.split(", ").map((name) => `${url}${name}/`) : [];
  } catch {
    return []; // offline: the whole decoder may still lie in the browser's cache
  }
}

function openSession(bytes: ArrayBuffer): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(new Uint8Array(bytes), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}

function inParts(decoder: DecoderInParts, sketch: ort.InferenceSession): LoadedDecoder {
  return {
    viewsOf: (embedding) => decoder.viewsOf(embedding),
    answer: (views, prompts, frame) => decoder.answer(views, prompts, frame),
    fixedMaskShape: maskShapeOf(sketch),
    onePart: false,
  };
}

function whole(session: ort.InferenceSession): LoadedDecoder {
  return {
    viewsOf: async (embedding) => embedding,
    answer: async (views, prompts) => {
      const answer = await session.run({ ...views, ...prompts });
      const ious = (answer.iou_predictions as ort.Tensor).data as Float32Array;
      return { masks: answer.low_res_masks as ort.Tensor, ious, complete: async () => undefined };
    },
    fixedMaskShape: maskShapeOf(session),
    onePart: session.inputNames.includes("fine"),
  };
}

function maskShapeOf(session: ort.InferenceSession): readonly [number, number] | null {
  const mask = session.inputMetadata.find((input) => input.name === "mask_input");
  const [, , height, width] = mask?.isTensor ? mask.shape : [];
  const fixed = typeof height === "number" && typeof width === "number" && height > 0 && width > 0;
  return fixed ? [height, width] : null;
}
