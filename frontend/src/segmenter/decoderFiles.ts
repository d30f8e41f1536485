import * as ort from "onnxruntime-web/wasm";
import type { Frame } from "../core/upscale";
import { CompactDecoder } from "./compactDecoder";
import { pictureFirst, type RawAnswer } from "./decoderParts";
import { RuntimeMemory, type Tensors } from "./keptTensors";
import type { CompactEmbedding } from "./placedImage";
import { PreparedDecoder, SCALE } from "./preparedDecoder";
import { type Program, startProgram } from "./program";
import { type Floats, readSafetensors } from "./safetensors";
import type { Prompts } from "./sketching";

/** What a decoder has made of an image; it answers until it is freed. */
export interface ViewedImage {
  /** A decoder in parts waits for `between` before it draws, and gives up if that throws. */
  answer(prompts: Tensors, frame: Frame, between: () => Promise<void>): Promise<RawAnswer>;
  free(): void;
}

/** A decoder ready to run. */
export interface LoadedDecoder {
  readonly view: (embedding: Tensors) => ViewedImage;
  /** Height and width of `mask_input` where the graph fixes them; SAM's does, the compact model follows the frame. */
  readonly fixedMaskShape: readonly [number, number] | null;
  /**
   * A lone click is answered by what hangs together under it, as the compact model's decoders do. A graph says so in
   * its metadata, which this runtime does not show; only theirs take a map named "fine".
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

/**
 * What the program of our own takes is quicker: the weights of the default model's decoder, or a SAM decoder in parts.
 * Others, and those registered before there were these, come as one graph.
 */
export async function openDecoder(url: string, wasmBase: string): Promise<LoadedDecoder> {
  const parts = await partsOf(url);
  const part = (name: string) => fetchBytes(`${url}${name}/`);
  if (parts.includes("weights")) {
    const program = ownProgram(wasmBase);
    const weights = await part("weights");
    return compact(new CompactDecoder(await program, readSafetensors(weights)));
  }
  if (!parts.includes("views"))
    return whole(await openSession(await fetchBytes(url)), await RuntimeMemory.of(wasmBase));
  const program = ownProgram(wasmBase);
  const [graph, weights] = await Promise.all([part("views"), part("prompts")]);
  const views = await openSession(graph);
  const decoder = new PreparedDecoder(await program, readSafetensors(weights), sidesOf(views));
  return inParts(views, decoder, await RuntimeMemory.of(wasmBase));
}

/**
 * To be awaited after the model's data: builds that do not come although that does (some networks let no WebAssembly
 * in) cannot run here; where nothing comes, all is tried again.
 */
function ownProgram(wasmBase: string): Promise<Program> {
  const builds = Promise.all(["decoder-fused.wasm", "decoder.wasm"].map((name) => fetchBytes(wasmBase + name)));
  const started = builds.then(startProgram, (error: TypeError) => {
    throw new Error("The decoder's program could not be loaded.", { cause: error });
  });
  started.catch(() => undefined); // whoever awaits it hears of it, unless the data failed before
  return started;
}

function compact(decoder: CompactDecoder): LoadedDecoder {
  const view = (embedding: Tensors): ViewedImage => {
    const maps = compactEmbedding(embedding);
    const answer = async (prompts: Tensors) => ({
      ...decoder.answer(maps, promptsOf(prompts)),
      complete: () => undefined,
    });
    return { answer, free: () => undefined };
  };
  return { view, fixedMaskShape: null, onePart: true };
}

function compactEmbedding(embedding: Tensors): CompactEmbedding {
  const map = (name: string): Floats => {
    const tensor = embedding[name];
    if (!tensor) throw new TypeError(`The stored embedding has no ${name}.`);
    return { dims: tensor.dims, data: tensor.data as Float32Array };
  };
  return { coarse: map("coarse"), middle: map("middle"), fine: map("fine") };
}

function inParts(views: ort.InferenceSession, decoder: PreparedDecoder, memory: RuntimeMemory): LoadedDecoder {
  const view = (embedding: Tensors): ViewedImage => {
    const made = memory.run(views, [], embedding);
    const image = decoder.hold(made);
    made.free();
    return {
      answer: (prompts, frame, between) => pictureFirst(decoder, image, promptsOf(prompts), frame, between),
      free: () => decoder.free(image),
    };
  };
  const [height, width] = decoder.shape;
  return { view, fixedMaskShape: [SCALE * height, SCALE * width], onePart: false };
}

function promptsOf({ point_coords, point_labels, mask_input, has_mask_input }: Tensors): Prompts {
  const values = (tensor: ort.Tensor | undefined) => (tensor?.data ?? new Float32Array()) as Float32Array;
  const mask = values(has_mask_input)[0] ? values(mask_input) : null;
  return { coords: values(point_coords), labels: values(point_labels), mask };
}

/** Rows and columns of the embedding that the views are made of. */
function sidesOf(views: ort.InferenceSession): [number, number] {
  const [embedding] = views.inputMetadata;
  const [, , height, width] = embedding?.isTensor ? embedding.shape : [];
  return [Number(height), Number(width)];
}

/** Names of what is served below a decoder's address instead of it. */
async function partsOf(url: string): Promise<string[]> {
  try {
    // Not from the cache: what it keeps for a year may be of a release that had no parts.
    const response = await fetch(url, { method: "HEAD", credentials: "same-origin", cache: "no-store" });
    return response.ok ? (response.headers.get("X-Decoder-Parts") ?? "").split(", ") : [];
  } catch {
    return []; // offline: a decoder that came whole may still lie in the browser's cache
  }
}

function openSession(bytes: ArrayBuffer): Promise<ort.InferenceSession> {
  chooseThreads();
  return ort.InferenceSession.create(new Uint8Array(bytes), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}

function whole(session: ort.InferenceSession, memory: RuntimeMemory): LoadedDecoder {
  const view = (embedding: Tensors): ViewedImage => {
    const kept = memory.keep(embedding);
    return {
      answer: async (prompts) => {
        const answer = memory.run(session, [kept], prompts);
        const [masks, ious] = [answer.read("low_res_masks"), answer.read("iou_predictions").data];
        answer.free();
        return { masks, ious, complete: () => undefined };
      },
      free: () => kept.free(),
    };
  };
  return { view, fixedMaskShape: maskShapeOf(session), onePart: session.inputNames.includes("fine") };
}

function maskShapeOf(session: ort.InferenceSession): readonly [number, number] | null {
  const mask = session.inputMetadata.find((input) => input.name === "mask_input");
  const [, , height, width] = mask?.isTensor ? mask.shape : [];
  const fixed = typeof height === "number" && typeof width === "number" && height > 0 && width > 0;
  return fixed ? [height, width] : null;
}
