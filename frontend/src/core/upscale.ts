import { EMPTY_PATCH, type Patch, trimPatch } from "./patch";

/**
 * Sizes on the way from the decoder's low-resolution logits to the image, each [height, width]: the logits cover
 * `paddedSize` (the model's square input), of which `inputSize` holds the picture, resized from `originalSize`.
 */
export interface Frame {
  readonly originalSize: readonly [number, number];
  readonly inputSize: readonly [number, number];
  readonly paddedSize: readonly [number, number];
}

/** One output line as a weighted sum of at most four neighbouring source lines, from `start` on. */
interface Taps {
  readonly start: Int32Array;
  readonly weights: Float32Array; // 4 per output line
}

/** Weights of torch's bilinear resize (align_corners=false, no antialias): two source lines per output line. */
function linearTaps(source: number, target: number): { index: Int32Array; fraction: Float32Array } {
  const index = new Int32Array(target);
  const fraction = new Float32Array(target);
  for (let i = 0; i < target; i++) {
    const at = Math.max(0, ((i + 0.5) * source) / target - 0.5);
    const low = Math.min(Math.floor(at), source - 1);
    index[i] = low;
    fraction[i] = low + 1 < source ? at - low : 0;
  }
  return { index, fraction };
}

/**
 * Both resizes of one axis as one: low -> padded, cut to input, -> original. Bilinear steps are linear and
 * separable, so their product is too, and the padded-size image never has to be made.
 */
function composedTaps(low: number, padded: number, input: number, original: number): Taps {
  const first = linearTaps(low, padded);
  const second = linearTaps(input, original);
  const start = new Int32Array(original);
  const weights = new Float32Array(original * 4);
  for (let i = 0; i < original; i++) {
    const middle = second.index[i] ?? 0;
    const begin = first.index[middle] ?? 0;
    start[i] = begin;
    const add = (line: number, share: number) => {
      if (share === 0) return;
      const from = first.index[line] ?? 0;
      const fraction = first.fraction[line] ?? 0;
      const slot = i * 4 + from - begin;
      weights[slot] = (weights[slot] ?? 0) + share * (1 - fraction);
      if (fraction > 0) weights[slot + 1] = (weights[slot + 1] ?? 0) + share * fraction;
    };
    const share = second.fraction[i] ?? 0;
    add(middle, 1 - share);
    if (share > 0) add(middle + 1, share);
  }
  return { start, weights };
}

export interface Upscaled {
  readonly patch: Patch;
  readonly area: number;
  /** IoU of the masks at logit thresholds +1 and -1, as in the SAM reference; 0 for an empty mask. */
  readonly stability: number;
}

/** Low-resolution logits -> mask at image resolution. Make one per frame and logit size, use it for every decode. */
export class Upscaler {
  private readonly rows: Taps;
  private readonly columns: Taps;
  /** Rows at full width, between two steps; kept so that a preview under the pointer allocates little. */
  private scratch = new Float32Array(0);

  constructor(
    readonly frame: Frame,
    private readonly lowHeight: number,
    private readonly lowWidth: number,
  ) {
    this.rows = composedTaps(lowHeight, frame.paddedSize[0], frame.inputSize[0], frame.originalSize[0]);
    this.columns = composedTaps(lowWidth, frame.paddedSize[1], frame.inputSize[1], frame.originalSize[1]);
  }

  /**
   * Thresholds the upscaled logits (row-major lowHeight x lowWidth) at 0. Every output value is a weighted mean of
   * low-resolution neighbours, so pixels that see none above -1 are skipped without changing the result.
   */
  mask(logits: Float32Array): Upscaled {
    const box = this.reach(logits);
    if (!box) return { patch: EMPTY_PATCH, area: 0, stability: 0 };
    const { x0, x1, y0, y1, low0, low1 } = box;
    const width = x1 - x0;
    const wide = this.widen(logits, x0, x1, low0, low1);
    const data = new Uint8Array(width * (y1 - y0));
    const { start, weights } = this.rows;
    let area = 0;
    let inner = 0;
    let outer = 0;
    const lastRow = low1 - low0;
    for (let y = y0; y < y1; y++) {
      const base = (start[y] ?? 0) - low0;
      const w0 = weights[y * 4] ?? 0;
      const w1 = weights[y * 4 + 1] ?? 0;
      const w2 = weights[y * 4 + 2] ?? 0;
      const w3 = weights[y * 4 + 3] ?? 0;
      const r0 = base * width;
      const r1 = Math.min(base + 1, lastRow) * width;
      const r2 = Math.min(base + 2, lastRow) * width;
      const r3 = Math.min(base + 3, lastRow) * width;
      const out = (y - y0) * width;
      for (let x = 0; x < width; x++) {
        let value = w0 * (wide[r0 + x] as number) + w1 * (wide[r1 + x] as number);
        if (w2 !== 0) value += w2 * (wide[r2 + x] as number);
        if (w3 !== 0) value += w3 * (wide[r3 + x] as number);
        if (value > 0) {
          data[out + x] = 1;
          area++;
        }
        if (value > 1) inner++;
        if (value > -1) outer++;
      }
    }
    const patch = trimPatch({ x: x0, y: y0, width, height: y1 - y0, data });
    return { patch, area, stability: outer > 0 ? inner / outer : 0 };
  }

  /** Output box whose pixels can exceed -1, and the span of low rows [low0, low1] they read. Null: none can. */
  private reach(logits: Float32Array) {
    const { lowHeight, lowWidth } = this;
    let top = lowHeight;
    let bottom = -1;
    let left = lowWidth;
    let right = -1;
    for (let y = 0, at = 0; y < lowHeight; y++) {
      for (let x = 0; x < lowWidth; x++, at++) {
        if ((logits[at] ?? 0) <= -1) continue;
        if (y < top) top = y;
        bottom = y;
        if (x < left) left = x;
        if (x > right) right = x;
      }
    }
    if (bottom < 0) return null;
    const [y0, y1] = touching(this.rows, top, bottom);
    const [x0, x1] = touching(this.columns, left, right);
    if (y1 <= y0 || x1 <= x0) return null;
    const low0 = this.rows.start[y0] ?? 0;
    const low1 = Math.min(lowHeight - 1, (this.rows.start[y1 - 1] ?? 0) + 3);
    return { x0, x1, y0, y1, low0, low1 };
  }

  /** Resizes the low rows [low0, low1] to the output columns [x0, x1): row-major, (low1 - low0 + 1) x (x1 - x0). */
  private widen(logits: Float32Array, x0: number, x1: number, low0: number, low1: number): Float32Array {
    const { start, weights } = this.columns;
    const { lowWidth } = this;
    const last = lowWidth - 1;
    const width = x1 - x0;
    const needed = (low1 - low0 + 1) * width;
    if (this.scratch.length < needed) this.scratch = new Float32Array(needed);
    const wide = this.scratch;
    for (let row = low0; row <= low1; row++) {
      const source = row * lowWidth;
      const out = (row - low0) * width - x0;
      for (let x = x0; x < x1; x++) {
        const from = start[x] ?? 0;
        let value = 0;
        for (let k = 0; k < 4; k++) {
          const weight = weights[x * 4 + k] as number;
          if (weight !== 0) value += weight * (logits[source + Math.min(from + k, last)] as number);
        }
        wide[out + x] = value;
      }
    }
    return wide;
  }
}

/** Output lines [first, end) that read any of the source lines [low, high]. */
function touching(taps: Taps, low: number, high: number): [number, number] {
  const lines = taps.start.length;
  let first = 0;
  while (first < lines && (taps.start[first] ?? 0) + 3 < low) first++;
  let end = lines;
  while (end > first && (taps.start[end - 1] ?? 0) > high) end--;
  return [first, end];
}
