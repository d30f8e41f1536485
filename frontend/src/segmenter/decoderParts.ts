import type { Frame } from "../core/upscale";
import { type HeldImage, type PreparedDecoder, SCALE } from "./preparedDecoder";
import type { Window } from "./program";
import type { Floats } from "./safetensors";
import type { Prompts } from "./sketching";

/** What a decoder says to prompts: masks as low-resolution logits of the whole frame, and what it thinks of each. */
export interface RawAnswer {
  /** 1 x masks x height x width, row-major. Until `complete` only what lies in the picture is there. */
  readonly masks: Floats;
  readonly ious: Float32Array;
  /** Draws what lies in the padding beside the picture: nobody sees it, but a mask is fed back as a whole. */
  readonly complete: () => void;
}

/** Logits of what is not drawn: far outside every mask. */
const OUTSIDE = -100;

/**
 * An answer whose masks are drawn where the picture lies, at first. Between prompts and drawing it waits for `between`,
 * which may throw to give up.
 */
export async function pictureFirst(
  decoder: PreparedDecoder,
  image: HeldImage,
  prompts: Prompts,
  frame: Frame,
  between: () => Promise<void>,
): Promise<RawAnswer> {
  const { ious, draw } = decoder.answer(image, prompts);
  await between();
  const [rows, columns] = decoder.shape;
  const [height, width] = [SCALE * rows, SCALE * columns];
  const data = new Float32Array(decoder.masks * height * width).fill(OUTSIDE);
  const masks = { dims: [1, decoder.masks, height, width], data };
  const [picture, ...padding] = windows(frame, rows, columns);
  draw(masks, picture);
  const complete = () => {
    for (const window of padding.splice(0)) draw(masks, window);
  };
  return { masks, ious, complete };
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
