import type * as ort from "onnxruntime-web/wasm";
import type { Frame } from "../core/upscale";
import { type DrawingKernel, SCALE, type Window } from "./drawingKernel";
import type { Kept, RuntimeMemory, Tensors } from "./keptTensors";
import type { Floats } from "./safetensors";

/** What a decoder says to prompts: masks as low-resolution logits of the whole frame, and what it thinks of each. */
export interface RawAnswer {
  /** 1 x masks x height x width, row-major. Until `complete` only what lies in the picture is there. */
  readonly masks: Floats;
  readonly ious: Float32Array;
  /** Draws what lies in the padding beside the picture: nobody sees it, but a mask is fed back as a whole. */
  readonly complete: () => void;
  /** Gives up what `complete` would need. */
  readonly free: () => void;
}

/** A SAM decoder as the server makes it ready (modelzoo/export.py): two graphs, and a program with its weights. */
interface Parts {
  readonly views: ort.InferenceSession;
  readonly sketch: ort.InferenceSession;
  readonly drawing: DrawingKernel;
}

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
    const count = sketched.look("weights").dims[0] ?? 0;
    const data = new Float32Array(count * height * width).fill(OUTSIDE);
    const masks = { dims: [1, count, height, width], data };
    const [picture, ...padding] = windows(frame, height / SCALE, width / SCALE);
    drawing.draw(known, sketched, masks, picture);
    const ious = sketched.read("iou_predictions").data;
    const complete = () => {
      for (const window of padding.splice(0)) drawing.draw(known, sketched, masks, window);
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
