import * as ort from "onnxruntime-web/wasm";
import type { Frame } from "../core/upscale";
import type { Kept, RuntimeMemory, Tensors } from "./keptTensors";

/** What a decoder says to prompts: masks as low-resolution logits of the whole frame, and what it thinks of each. */
export interface RawAnswer {
  /** 1 x masks x height x width, row-major. Until `complete` only what lies in the picture is there. */
  readonly masks: { readonly dims: readonly number[]; readonly data: Float32Array };
  readonly ious: Float32Array;
  /** Draws what lies in the padding beside the picture: nobody sees it, but a mask is fed back as a whole. */
  readonly complete: () => void;
  /** Gives up what `complete` would need. */
  readonly free: () => void;
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
 * what lies in the picture is drawn first. Before that it waits for `between`, which may throw to give up.
 */
export function decoderInParts({ views, sketch, drawing }: Parts, memory: RuntimeMemory) {
  const answer = async (known: Kept, prompts: Tensors, frame: Frame, between: () => Promise<void>) => {
    const sketched = memory.run(sketch, [known], prompts);
    try {
      await between();
      return drawn(known, sketched, prompts.mask_input?.dims ?? [], frame);
    } catch (error) {
      sketched.free();
      throw error;
    }
  };
  const drawn = (known: Kept, sketched: Kept, [, , height = 0, width = 0]: readonly number[], frame: Frame) => {
    const count = sketched.read("weights").dims[0] ?? 0;
    const data = new Float32Array(count * height * width).fill(OUTSIDE);
    const masks = { dims: [1, count, height, width], data };
    const draw = (window: Window) => {
      const cut = new ort.Tensor("int64", BigInt64Array.from(window, BigInt), [4]);
      const made = memory.run(drawing, [known, sketched], { window: cut });
      place(made.read("low_res_masks"), masks, window);
      made.free();
    };
    const [picture, ...padding] = windows(frame, height / SCALE, width / SCALE);
    draw(picture);
    const ious = sketched.read("iou_predictions").data;
    const complete = () => {
      for (const window of padding.splice(0)) draw(window);
    };
    return { masks, ious, complete, free: () => sketched.free() };
  };
  return { viewsOf: (embedding: Tensors) => memory.run(views, [], embedding), answer };
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

function place(drawn: RawAnswer["masks"], masks: RawAnswer["masks"], [y0, , x0]: Window): void {
  const [, count = 0, height = 0, width = 0] = masks.dims;
  const [, , rows = 0, columns = 0] = drawn.dims;
  for (let mask = 0; mask < count; mask++) {
    for (let row = 0; row < rows; row++) {
      const start = (mask * rows + row) * columns;
      const at = (mask * height + SCALE * y0 + row) * width + SCALE * x0;
      masks.data.set(drawn.data.subarray(start, start + columns), at);
    }
  }
}
