import type { Patch } from "./patch";
import type { Frame } from "./upscale";

/**
 * How sure the model is told to be of a rough mask, as a logit: a decoder's own logits for a clear object lie here, and
 * it was trained on its own.
 */
const CERTAINTY = 12;
/** Samples per side of a low-resolution pixel. */
const SAMPLES = 4;

/**
 * A mask at image resolution as low-resolution logits for the decoder's mask input, row-major lowHeight x lowWidth: the
 * share of each low-resolution pixel that the mask covers, from -CERTAINTY (none) to CERTAINTY (all). Padding has none.
 */
export function maskPromptLogits(patch: Patch, frame: Frame, lowHeight: number, lowWidth: number): Float32Array {
  const columns = samplePositions(lowWidth, frame.paddedSize[1], frame.inputSize[1], frame.originalSize[1]);
  const rows = samplePositions(lowHeight, frame.paddedSize[0], frame.inputSize[0], frame.originalSize[0]);
  const counts = new Float32Array(lowHeight * lowWidth);
  const { x, y, width, height, data } = patch;
  rows.forEach((row, i) => {
    const line = row - y;
    if (line < 0 || line >= height) return;
    const out = Math.floor(i / SAMPLES) * lowWidth;
    columns.forEach((column, j) => {
      const at = column - x;
      if (at < 0 || at >= width || data[line * width + at] === 0) return;
      const cell = out + Math.floor(j / SAMPLES);
      counts[cell] = (counts[cell] as number) + 1;
    });
  });
  return counts.map((count) => CERTAINTY * ((2 * count) / SAMPLES ** 2 - 1));
}

/** Image rows (or columns) under the samples of each low-resolution one; -1 in the padding. */
function samplePositions(low: number, padded: number, input: number, original: number): Int32Array {
  return Int32Array.from({ length: low * SAMPLES }, (_, i) => {
    const at = (((i + 0.5) / SAMPLES) * padded) / low;
    return at < input ? Math.min(original - 1, Math.floor((at * original) / input)) : -1;
  });
}
