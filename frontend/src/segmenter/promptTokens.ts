import type { DecoderWeights } from "./decoderWeights";

/** Points in input-frame pixels with the labels of modelzoo/model/prompt_encoder.py; box corners are points, too. */
export interface PointPrompts {
  /** x and y of each. */
  readonly coords: Float32Array;
  readonly labels: Float32Array;
}

const PADDING = -1;

/** `PromptEncoder.embed_points`: a token of `gaussian`'s width, twice over, for each point. */
export function embedPoints({ coords, labels }: PointPrompts, weights: DecoderWeights): Float32Array[] {
  const gaussian = weights.values("gaussian");
  const half = gaussian.length / 2;
  const [height = 1, width = 1] = weights.values("input_size");
  const kinds = weights.values("kinds");
  return Array.from(labels, (label, at) => {
    const token = kinds.slice((label + 1) * 2 * half, (label + 2) * 2 * half);
    if (label === PADDING) return token;
    const x = (2 * ((coords[2 * at] ?? 0) + 0.5)) / width - 1;
    const y = (2 * ((coords[2 * at + 1] ?? 0) + 0.5)) / height - 1;
    for (let wave = 0; wave < half; wave++) {
      const angle = 2 * Math.PI * (x * (gaussian[wave] ?? 0) + y * (gaussian[half + wave] ?? 0));
      token[wave] = (token[wave] ?? 0) + Math.sin(angle);
      token[half + wave] = (token[half + wave] ?? 0) + Math.cos(angle);
    }
    return token;
  });
}
