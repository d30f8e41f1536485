import * as ort from "onnxruntime-web/wasm";
import type { Frame } from "../core/upscale";
import { decoderInParts, type RawAnswer } from "./decoderParts";
import { DrawingKernel, startDrawing } from "./drawingKernel";
import { type Kept, RuntimeMemory, type Tensors } from "./keptTensors";
import { readSafetensors } from "./safetensors";

/** A decoder ready to run. */
export interface LoadedDecoder {
  /** What `answer` takes of an image, from its embedding: the same, or what the first of its parts makes of it. */
  readonly viewsOf: (embedding: Tensors) => Kept;
  /** A decoder in parts waits for `between` after the first of them, and gives up if that throws. */
  readonly answer: (views: Kept, prompts: Tensors, frame: Frame, between: () => Promise<void>) => Promise<RawAnswer>;
  /** Height and width of `mask_input` where the graph fixes them; SAM's does, the compact model follows the frame. */
  readonly fixedMaskShape: readonly [number, number] | null;
  /**
   * A lone click is answered by what hangs together under it. The file says so in its metadata, which this runtime does
   * not show; only the compact model's decoders, which do so, take a map named "fine".
   */
  readonly onePart: boolean;
}

/** More threads make even a large decoder slower. */
const MOST_THREADS = 4;

/**
 * The runtime starts its threads with its first decoder and keeps them. They leave a core to the page, whose painting
 * they would otherwise wait for at each of hundreds of steps: on two cores one thread is quicker than two.
 */
function chooseThreads(): void {
  const cores = self.navigator.hardwareConcurrency || 1;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.max(1, Math.min(MOST_THREADS, cores - 1)) : 1;
}

export async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new TypeError(`The server answered ${response.status} for model data.`);
  return response.arrayBuffer();
}

/** A SAM decoder comes in parts, which are quicker. Others, and those registered before there were parts, come whole. */
export async function openDecoder(url: string, wasmBase: string): Promise<LoadedDecoder> {
  const parts = await partsOf(url);
  if (parts === null) {
    const [session] = await openSessions([url] as const);
    return whole(session, await RuntimeMemory.of(wasmBase));
  }
  const [viewsUrl, sketchUrl, weightsUrl] = parts;
  const opening = [openSessions([viewsUrl, sketchUrl] as const), openDrawing(weightsUrl, wasmBase)] as const;
  const [[views, sketch], drawing] = await Promise.all(opening);
  const inParts = decoderInParts({ views, sketch, drawing }, await RuntimeMemory.of(wasmBase));
  return { ...inParts, fixedMaskShape: maskShapeOf(sketch), onePart: false };
}

/** The program that draws, in the quickest build that runs here, with a decoder's weights. */
async function openDrawing(weightsUrl: string, wasmBase: string): Promise<DrawingKernel> {
  const builds = ["drawing-fused.wasm", "drawing.wasm"].map((name) => fetchBytes(wasmBase + name));
  const [weights, ...programs] = await Promise.all([fetchBytes(weightsUrl), ...builds]);
  return new DrawingKernel(await startDrawing(programs), readSafetensors(weights));
}

/** Addresses of the three parts, in the order in which they run; null where the server does not name them. */
async function partsOf(url: string): Promise<[string, string, string] | null> {
  try {
    const response = await fetch(url, { method: "HEAD", credentials: "same-origin" });
    const names = response.ok ? (response.headers.get("X-Decoder-Parts") ?? "") : "";
    const [views, sketch, weights] = names.split(", ").map((name) => `${url}${name}/`);
    return views && sketch && weights ? [views, sketch, weights] : null;
  } catch {
    return null; // offline: the whole decoder may still lie in the browser's cache
  }
}

/** A session for each file, in their order. */
async function openSessions<Urls extends readonly string[]>(
  urls: Urls,
): Promise<{ [Index in keyof Urls]: ort.InferenceSession }> {
  const files = await Promise.all(urls.map(fetchBytes));
  chooseThreads();
  const sessions: ort.InferenceSession[] = [];
  for (const bytes of files) sessions.push(await openSession(bytes));
  return sessions as { [Index in keyof Urls]: ort.InferenceSession };
}

function openSession(bytes: ArrayBuffer): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(new Uint8Array(bytes), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}

function whole(session: ort.InferenceSession, memory: RuntimeMemory): LoadedDecoder {
  return {
    viewsOf: (embedding) => memory.keep(embedding),
    answer: async (views, prompts) => {
      const answer = memory.run(session, [views], prompts);
      const [masks, ious] = [answer.read("low_res_masks"), answer.read("iou_predictions").data];
      answer.free();
      return { masks, ious, complete: () => undefined, free: () => undefined };
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
