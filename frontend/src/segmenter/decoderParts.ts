import * as ort from "onnxruntime-web/wasm";
import type { Frame } from "../core/upscale";

export type Tensors = Record<string, ort.Tensor>;

/** What a decoder says to prompts: masks as low-resolution logits of the whole frame, and what it thinks of each. */
export interface RawAnswer {
  /** 1 x masks x height x width. Until `complete` only what lies in the picture is there. */
  readonly masks: ort.Tensor;
  readonly ious: Float32Array;
  /** Draws what lies in the padding beside the picture: nobody sees it, but a mask is fed back as a whole. */
  readonly complete: () => Promise<void>;
}

/** Rows from y0 and columns from x0 on, up to y1 and x1, in positions of the embedding. */
type Window = readonly [y0: number, y1: number, x0: number, x1: number];

/** Sessions of the three graphs that the server makes of a SAM decoder (modelzoo/export.py), in their order. */
interface Parts {
  readonly views: ort.InferenceSession;
  readonly sketch: ort.InferenceSession;
  readonly drawing: ort.InferenceSession;
}

/** Low-resolution logits per position of the embedding, in either direction. */
const SCALE = 4;
/** Logits of what is not drawn: far outside every mask. */
const OUTSIDE = -100;

/**
 * A SAM decoder in parts: what depends on the image alone is computed when the image is opened, and of a prompt's masks
 * what lies in the picture is drawn first.
 */
export function decoderInParts({ views, sketch, drawing }: Parts) {
  const answer = async (known: Tensors, prompts: Tensors, frame: Frame): Promise<RawAnswer> => {
    const sketched = (await sketch.run(askedFor(sketch, { ...known, ...prompts }))) as Tensors;
    const [, , height = 0, width = 0] = (prompts.mask_input as ort.Tensor).dims;
    const count = (sketched.weights as ort.Tensor).dims[0] ?? 0;
    const logits = new Float32Array(count * height * width).fill(OUTSIDE);
    const masks = new ort.Tensor("float32", logits, [1, count, height, width]);
    const draw = async (window: Window) => {
      const cut = new ort.Tensor("int64", BigInt64Array.from(window, BigInt), [4]);
      const drawn = await drawing.run(askedFor(drawing, { ...known, ...sketched, window: cut }));
      place(drawn.low_res_masks as ort.Tensor, masks, window);
    };
    const [picture, ...padding] = windows(frame, height / SCALE, width / SCALE);
    await draw(picture);
    const ious = (sketched.iou_predictions as ort.Tensor).data as Float32Array;
    let rest: Promise<void> | null = null;
    const complete = () => {
      rest ??= padding.reduce((before, window) => before.then(() => draw(window)), Promise.resolve());
      return rest;
    };
    return { masks, ious, complete };
  };
  return { viewsOf: async (embedding: Tensors) => (await views.run(embedding)) as Tensors, answer };
}

/** The picture, with the one row and column beyond it that enlarging looks at, then what is left of the frame. */
export function windows(frame: Frame, height: number, width: number): [Window, ...Window[]] {
  const reach = (axis: 0 | 1, length: number) =>
    Math.min(
      length,
      Math.ceil(Math.ceil((frame.inputSize[axis] * SCALE * length) / frame.paddedSize[axis] + 0.5) / SCALE),
    );
  const [bottom, right] = [reach(0, height), reach(1, width)];
  const padding: Window[] = [
    [bottom, height, 0, width],
    [0, bottom, right, width],
  ];
  return [[0, bottom, 0, right], ...padding.filter(([y0, y1, x0, x1]) => y1 > y0 && x1 > x0)];
}

function place(drawn: ort.Tensor, masks: ort.Tensor, [y0, , x0]: Window): void {
  const [, count = 0, height = 0, width = 0] = masks.dims;
  const [, , rows = 0, columns = 0] = drawn.dims;
  const from = drawn.data as Float32Array;
  const to = masks.data as Float32Array;
  for (let mask = 0; mask < count; mask++) {
    for (let row = 0; row < rows; row++) {
      const start = (mask * rows + row) * columns;
      const at = (mask * height + SCALE * y0 + row) * width + SCALE * x0;
      to.set(from.subarray(start, start + columns), at);
    }
  }
}

/** A session takes nothing that it does not know. */
function askedFor(session: ort.InferenceSession, known: Tensors): Tensors {
  return Object.fromEntries(session.inputNames.map((name) => [name, known[name] as ort.Tensor]));
}
