/**
 * The last step of the default model's decoder: masks, and what its predicted IoU wants to know of each (`predicted_iou`
 * of modelzoo/model/compact_decoder.py).
 */
import { exponential, fused, LANES, multiply, ROW } from "./panels";
import { gather, Planes } from "./planes";

/** Masks are made four at a time. */
const MASKS: usize = 4;
/** Places of a block, in either direction, of which the mean is taken. */
const BLOCK: usize = 4;
/** Sums are kept in four lanes, which nobody has added up yet. */
const SUM: usize = 16;
const E: f32 = Mathf.E;

@unmanaged
class Masks {
  kernels: usize; // MASKS x channels
  bias: usize; // MASKS
  logits: usize; // MASKS x height x width
  inside: usize; // MASKS x channels sums of the features, weighted by how far they lie inside
  rim: usize; // the same, weighted by how undecided they are
  sums: usize; // MASKS x 5 sums: inside, rim, inside at the logit levels +1 and -1; then the highest
  shares: usize; // blocks, filled up to whole panels, x LANES: the mean of each, inside
  scratch: usize; // a row for every channel and mask
}

/** The share of a logistic curve that lies below x - level, told e^-|x| and e^level. */
function logistic(x: v128, decay: v128, level: f32): v128 {
  const negative = f32x4.lt(x, f32x4.splat(0));
  const e = f32x4.mul(decay, v128.bitselect(f32x4.splat(1 / level), f32x4.splat(level), negative));
  return f32x4.div(v128.bitselect(e, f32x4.splat(1), negative), f32x4.add(e, f32x4.splat(1)));
}

function add(sum: usize, more: v128): void {
  v128.store(sum, f32x4.add(v128.load(sum), more));
}

/** Adds four places of a mask to its sums. features: where the first of them lies in a panel of features. */
function weigh(task: Masks, channels: usize, mask: usize, logits: v128, features: usize, share: usize): void {
  const decay = exponential(f32x4.neg(f32x4.abs(logits)));
  const inside = logistic(logits, decay, 1);
  const rim = f32x4.mul(f32x4.mul(f32x4.splat(4), inside), f32x4.sub(f32x4.splat(1), inside));
  let to = mask * channels * SUM;
  for (let end = to + channels * SUM; to < end; to += SUM) {
    const feature = v128.load(features);
    v128.store(task.inside + to, fused(inside, feature, v128.load(task.inside + to)));
    v128.store(task.rim + to, fused(rim, feature, v128.load(task.rim + to)));
    features += ROW;
  }
  const sums = task.sums + mask * 5 * SUM;
  add(sums, inside);
  add(sums + SUM, rim);
  add(sums + 2 * SUM, logistic(logits, decay, E));
  add(sums + 3 * SUM, logistic(logits, decay, 1 / E));
  v128.store(sums + 4 * SUM, f32x4.pmax(v128.load(sums + 4 * SUM), inside));
  let sum = f32x4.extract_lane(inside, 0) + f32x4.extract_lane(inside, 1);
  sum += f32x4.extract_lane(inside, 2) + f32x4.extract_lane(inside, 3);
  const at = share + (mask << 2);
  store<f32>(at, load<f32>(at) + sum / <f32>(BLOCK * BLOCK));
}

/** Masks of a map of features, whose sides are multiples of BLOCK. Sums and shares must be zeros. */
export function masks(task: Masks, from: Planes): void {
  const made = task.scratch + from.channels * ROW;
  for (let y: usize = 0; y < from.height; y++) {
    for (let x: usize = 0; x < from.width; x += LANES) {
      gather(from, 1, 1, y, x, task.scratch);
      multiply(task.kernels, from.channels << 2, MASKS, from.channels, task.scratch, ROW, made, ROW, false);
      for (let four = x; four < min(x + LANES, from.width); four += 4) {
        const lane = (four - x) << 2;
        const block = (y / BLOCK) * (from.width / BLOCK) + four / BLOCK;
        for (let mask: usize = 0; mask < MASKS; mask++) {
          const bias = v128.load32_splat(task.bias + (mask << 2));
          const logits = f32x4.add(v128.load(made + mask * ROW + lane), bias);
          v128.store(task.logits + (((mask * from.height + y) * from.width + four) << 2), logits);
          weigh(task, from.channels, mask, logits, task.scratch + lane, task.shares + block * LANES * 4);
        }
      }
    }
  }
}

/** rows x LANES: panels of `rows` rows added up, each place weighted by its row of `weights`, LANES numbers a place. */
export function weighted(panels: usize, count: usize, rows: usize, weights: usize, out: usize): void {
  for (let panel: usize = 0; panel < count; panel++) {
    multiply(panels + panel * rows * ROW, ROW, rows, LANES, weights + panel * LANES * ROW, ROW, out, ROW, panel > 0);
  }
}
