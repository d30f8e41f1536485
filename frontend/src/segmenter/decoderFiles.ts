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
  if (!imageHalf || !promptHalf) return loaded(await openSession(url), null);
  const [first, second] = await Promise.all([openSession(imageHalf), openSession(promptHalf)]);
  return loaded(second, first);
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

async function openSession(url: string): Promise<ort.InferenceSession> {
  const bytes = await fetchBytes(url);
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
