/**
 * What the tokens of the default model's decoder and an image make of each other (`Attention.few_queries` and
 * `few_keys` of modelzoo/model/transformer.py, which say why the image is never projected).
 *
 * The image is panels of eight positions, once as it is and once with the code of its places added.
 */
import { exponential, LANES, multiply, ROW } from "./panels";
import { addBias, normColumns } from "./sketch";

@unmanaged
class Places {
  positions: usize;
  channels: usize;
  image: usize; // `channels` rows in each panel
  placed: usize; // the same with `codes` added
  codes: usize;

  get panels(): usize {
    return (this.positions + LANES - 1) / LANES;
  }

  get panel(): usize {
    return this.channels * ROW;
  }
}

/** Tokens, filled up to whole panels, of all heads: `rows` in all. */
@unmanaged
class Asked {
  heads: usize;
  tokens: usize;
  rows: usize;
  folded: usize; // rows x channels: what each looks for
  bias: usize; // rows; added to the scores
}

/**
 * The tokens look at the image: for each of them the image, added up by a softmax over the positions. mixed: channels x
 * rows, sums: rows, by which the columns must be divided still; scratch: `rows` rows for each panel and two more.
 */
export function gaze(asked: Asked, places: Places, mixed: usize, sums: usize, scratch: usize): void {
  const size = asked.rows * ROW;
  const highs = scratch + places.panels * size;
  const turned = highs + size;
  for (let row: usize = 0; row < size; row += 16) v128.store(highs + row, f32x4.splat(-f32.MAX_VALUE));
  for (let panel: usize = 0; panel < places.panels; panel++) {
    const scores = scratch + panel * size;
    const placed = places.placed + panel * places.panel;
    multiply(asked.folded, places.channels << 2, asked.rows, places.channels, placed, ROW, scores, ROW, false);
    for (let row: usize = 0; row < asked.rows; row++) {
      for (let lane = places.positions - panel * LANES; lane < LANES; lane++) {
        store<f32>(scores + row * ROW + (lane << 2), -f32.MAX_VALUE);
      }
    }
    for (let row: usize = 0; row < size; row += 16) {
      v128.store(highs + row, f32x4.pmax(v128.load(highs + row), v128.load(scores + row)));
    }
  }
  for (let row: usize = 0; row < asked.rows; row++) {
    let high = load<f32>(highs + row * ROW);
    for (let lane: usize = 1; lane < LANES; lane++) high = max(high, load<f32>(highs + row * ROW + (lane << 2)));
    store<f32>(highs + (row << 2), high);
  }
  memory.fill(sums, 0, asked.rows << 2);
  memory.fill(mixed, 0, (places.channels * asked.rows) << 2);
  for (let panel: usize = 0; panel < places.panels; panel++) {
    share(asked, scratch + panel * size, highs, sums, turned);
    const image = places.image + panel * places.panel;
    for (let at: usize = 0; at < asked.rows << 2; at += ROW) {
      const step = asked.rows << 2;
      multiply(image, ROW, places.channels, LANES, turned + at, step, mixed + at, step, true);
    }
  }
}

/** Scores of a panel, rows x LANES -> weights, LANES x rows, which are added to the sums of their rows. */
function share(asked: Asked, scores: usize, highs: usize, sums: usize, turned: usize): void {
  for (let row: usize = 0; row < asked.rows; row++) {
    const high = v128.load32_splat(highs + (row << 2));
    const left = exponential(f32x4.sub(v128.load(scores + row * ROW), high));
    const right = exponential(f32x4.sub(v128.load(scores + row * ROW, 16), high));
    v128.store(scores, left);
    v128.store(scores, right, 16);
    let sum: f32 = 0;
    for (let lane: usize = 0; lane < LANES; lane++) {
      const weight = load<f32>(scores + (lane << 2));
      sum += weight;
      store<f32>(turned + ((lane * asked.rows + row) << 2), weight);
    }
    store<f32>(sums + (row << 2), load<f32>(sums + (row << 2)) + sum);
  }
}

@unmanaged
class Reply {
  values: usize; // channels x rows: what each token of each head adds
  bias: usize; // channels
  gain: usize; // of the norm, channels
  shift: usize; // the same
  epsilon: f32;
}

/** The image answers the tokens, by a softmax over them in each head, and is normalised. scratch: `rows` rows. */
export function reply(asked: Asked, places: Places, told: Reply, scratch: usize): void {
  const channels = places.channels;
  for (let panel: usize = 0; panel < places.panels; panel++) {
    const image = places.image + panel * places.panel;
    const placed = places.placed + panel * places.panel;
    multiply(asked.folded, channels << 2, asked.rows, channels, placed, ROW, scratch, ROW, false);
    weigh(asked, scratch);
    multiply(told.values, asked.rows << 2, channels, asked.rows, scratch, ROW, image, ROW, true);
    addBias(image, channels, LANES, told.bias, false);
    normColumns(image, channels, LANES, told.gain, told.shift, told.epsilon);
    const codes = places.codes + panel * places.panel;
    for (let at: usize = 0; at < places.panel; at += 16) {
      v128.store(placed + at, f32x4.add(v128.load(image + at), v128.load(codes + at)));
    }
  }
}

/** Scores of a panel -> weights, in place; rows that are no tokens weigh nothing. */
function weigh(asked: Asked, scores: usize): void {
  const each = asked.rows / asked.heads;
  for (let head: usize = 0; head < asked.heads; head++) {
    const bias = asked.bias + ((head * each) << 2);
    for (let half: usize = 0; half < ROW; half += 16) {
      const start = scores + head * each * ROW + half;
      const end = start + asked.tokens * ROW;
      let high = f32x4.splat(-f32.MAX_VALUE);
      for (let at = start, own = bias; at < end; at += ROW, own += 4) {
        const score = f32x4.add(v128.load(at), v128.load32_splat(own));
        v128.store(at, score);
        high = f32x4.pmax(high, score);
      }
      let sum = f32x4.splat(0);
      for (let at = start; at < end; at += ROW) {
        const weight = exponential(f32x4.sub(v128.load(at), high));
        v128.store(at, weight);
        sum = f32x4.add(sum, weight);
      }
      const share = f32x4.div(f32x4.splat(1), sum);
      for (let at = start; at < end; at += ROW) v128.store(at, f32x4.mul(v128.load(at), share));
      for (let at = end; at < start + each * ROW; at += ROW) v128.store(at, f32x4.splat(0));
    }
  }
}
