import * as ort from "onnxruntime-web/wasm";

export type Tensors = Record<string, ort.Tensor>;

/** A decoder ready to run. */
export interface LoadedDecoder {
  readonly session: ort.InferenceSession;
  /** What `session` takes of an image, from its embedding: the same, or what the first of two halves makes of it. */
  readonly viewsOf: (embedding: Tensors) => Promise<Tensors>;
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

/**
 * A SAM decoder comes in two halves: what depends on the image alone is computed when the image is opened, and a prompt
 * costs half as much. Others, and those registered before there were halves, come whole.
 */
export async function openDecoder(url: string): Promise<LoadedDecoder> {
  const [imageHalf, promptHalf] = await halvesOf(url);
  const [bytes, before] = await Promise.all([
    fetchBytes(promptHalf ?? url),
    promptHalf && imageHalf ? fetchBytes(imageHalf) : null,
  ]);
  startThreads(bytes.byteLength > LARGE);
  return loaded(await openSession(bytes), before && (await openSession(before)));
}

/** Addresses of the halves, in the order in which they run; none where the server does not name them. */
async function halvesOf(url: string): Promise<string[]> {
  try {
    const response = await fetch(url, { method: "HEAD", credentials: "same-origin" });
    const names = response.ok ? (response.headers.get("X-Decoder-Halves") ?? "") : "";
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

function loaded(session: ort.InferenceSession, imageHalf: ort.InferenceSession | null): LoadedDecoder {
  const mask = session.inputMetadata.find((input) => input.name === "mask_input");
  const [, , height, width] = mask?.isTensor ? mask.shape : [];
  const fixed = typeof height === "number" && typeof width === "number" && height > 0 && width > 0;
  return {
    session,
    viewsOf: async (embedding) => (imageHalf ? ((await imageHalf.run(embedding)) as Tensors) : embedding),
    fixedMaskShape: fixed ? [height, width] : null,
    onePart: session.inputNames.includes("fine"),
  };
}
