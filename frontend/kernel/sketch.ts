/**
 * What the positions of an image add to a prompt's sketch: `PreparedDecoder` of modelzoo/model/prepared_decoder.py,
 * which has the formulas. What has no positions (tokens, columns) is computed by src/segmenter/sketching.ts,
 * which writes the classes of this file, in their order.
 *
 * Everything that has positions lies in panels of eight, one after the other.
 */
import { exponential, fused, gelu, LANES, multiply, normal, ROW } from "./panels";

/** What a prompt has made of the image so far. */
@unmanaged
export class Image {
  positions: usize;
  panels: usize;
  room: usize; // rows of a panel of coefficients
  columns: usize; // of them in use
  placed: usize; // 0: nothing has been normalised yet, and `level` is one everywhere
  level: usize; // a row in each panel
  coefficients: usize; // `room` rows in each panel
}

/** Attention between tokens and image. */
@unmanaged
class Attention {
  heads: usize;
  width: usize; // channels of a head, a multiple of 4
  filled: usize; // the same, filled up to a multiple of 8: so wide are values
  tokens: usize;
  rows: usize; // the same, filled up to a multiple of 8
  asked: usize; // heads x rows x width
  through: usize; // heads x rows x columns
  throughStep: usize; // bytes of a row of it
  view: usize; // heads * width rows in each panel
  placed: usize; // the same
}

/** heads * rows rows: products of the tokens with a panel of the image. */
function scores(attention: Attention, image: Image, panel: usize, out: usize): void {
  const width = attention.width;
  const rows = attention.rows;
  const start = panel * attention.heads * width * ROW;
  const coefficients = image.coefficients + panel * image.room * ROW;
  const left = v128.load(image.level + panel * ROW);
  const right = v128.load(image.level + panel * ROW, 16);
  for (let head: usize = 0; head < attention.heads; head++) {
    const asked = attention.asked + ((head * rows * width) << 2);
    const here = start + head * width * ROW;
    multiply(asked, width << 2, rows, width, attention.view + here, ROW, out, ROW, false);
    if (image.placed) {
      for (let at = out; at < out + rows * ROW; at += ROW) {
        v128.store(at, f32x4.mul(v128.load(at), left));
        v128.store(at, f32x4.mul(v128.load(at, 16), right), 16);
      }
      multiply(asked, width << 2, rows, width, attention.placed + here, ROW, out, ROW, true);
    }
    const through = attention.through + head * rows * attention.throughStep;
    multiply(through, attention.throughStep, rows, image.columns, coefficients, ROW, out, ROW, true);
    out += rows * ROW;
  }
}

/**
 * The tokens look at the image: weights of a softmax over all positions, with which the values and the coefficients
 * are added up. values: for each panel heads x LANES x filled; mixed: heads * rows x filled; spread: heads * rows x
 * `spreadColumns`, a multiple of 8; scratch: heads * rows rows for each panel, then heads * rows * 3 rows and LANES *
 * spreadColumns numbers.
 */
export function look(
  attention: Attention,
  image: Image,
  values: usize,
  mixed: usize,
  spread: usize,
  spreadColumns: usize,
  scratch: usize,
): void {
  const rows = attention.heads * attention.rows;
  const highs = scratch + image.panels * rows * ROW;
  const sums = highs + rows * ROW;
  const levelled = sums + rows * ROW;
  const turned = levelled + rows * ROW;
  memory.fill(sums, 0, rows * ROW);
  memory.fill(mixed, 0, (rows * attention.filled) << 2);
  memory.fill(spread, 0, (rows * spreadColumns) << 2);
  memory.fill(turned, 0, (LANES * spreadColumns) << 2);
  scoresEverywhere(attention, image, scratch, highs);
  for (let panel: usize = 0; panel < image.panels; panel++) {
    const weights = scratch + panel * rows * ROW;
    const level = image.level + panel * ROW;
    for (let row: usize = 0; row < rows * ROW; row += 16) {
      const weight = exponential(f32x4.sub(v128.load(weights + row), v128.load(highs + row)));
      v128.store(weights + row, weight);
      v128.store(sums + row, f32x4.add(v128.load(sums + row), weight));
      v128.store(levelled + row, image.placed ? f32x4.mul(weight, v128.load(level + (row & 16))) : weight);
    }
    const here = values + ((panel * attention.heads * LANES * attention.filled) << 2);
    mix(attention, levelled, here, mixed);
    turn(image.coefficients + panel * image.room * ROW, image.columns, turned, spreadColumns);
    for (let at: usize = 0; at < spreadColumns << 2; at += ROW) {
      multiply(weights, ROW, rows, LANES, turned + at, spreadColumns << 2, spread + at, spreadColumns << 2, true);
    }
  }
  for (let row: usize = 0; row < rows; row++) {
    const share = f32x4.splat(1 / total(sums + row * ROW));
    scale(mixed + ((row * attention.filled) << 2), attention.filled, share);
    scale(spread + ((row * spreadColumns) << 2), spreadColumns, share);
  }
}

/** Scores of all panels, and the highest of each row in all lanes of `highs`. */
function scoresEverywhere(attention: Attention, image: Image, out: usize, highs: usize): void {
  const rows = attention.heads * attention.rows;
  for (let row: usize = 0; row < rows * ROW; row += 16) v128.store(highs + row, f32x4.splat(-f32.MAX_VALUE));
  for (let panel: usize = 0; panel < image.panels; panel++) {
    const here = out + panel * rows * ROW;
    scores(attention, image, panel, here);
    if ((panel + 1) * LANES > image.positions) hide(here, rows, image.positions - panel * LANES);
    for (let row: usize = 0; row < rows * ROW; row += 16) {
      v128.store(highs + row, f32x4.pmax(v128.load(highs + row), v128.load(here + row)));
    }
  }
  for (let row: usize = 0; row < rows; row++) {
    const at = highs + row * ROW;
    let high = load<f32>(at);
    for (let lane: usize = 1; lane < LANES; lane++) high = max(high, load<f32>(at + (lane << 2)));
    v128.store(at, f32x4.splat(high));
    v128.store(at, f32x4.splat(high), 16);
  }
}

/** Lanes from `first` on are beside the image: nobody looks there. */
function hide(panel: usize, rows: usize, first: usize): void {
  for (let row: usize = 0; row < rows; row++) {
    for (let lane = first; lane < LANES; lane++) store<f32>(panel + row * ROW + (lane << 2), -f32.MAX_VALUE);
  }
}

/** Adds up the values of a panel's positions. */
function mix(attention: Attention, weights: usize, values: usize, mixed: usize): void {
  const step = attention.filled << 2;
  for (let head: usize = 0; head < attention.heads; head++) {
    for (let at: usize = 0; at < step; at += ROW) {
      multiply(weights, ROW, attention.rows, LANES, values + at, step, mixed + at, step, true);
    }
    weights += attention.rows * ROW;
    values += LANES * step;
    mixed += attention.rows * step;
  }
}

/** A panel of coefficients with its positions as rows: LANES x columns. */
function turn(panel: usize, rows: usize, out: usize, columns: usize): void {
  for (let row: usize = 0; row < rows; row++) {
    for (let lane: usize = 0; lane < LANES; lane++) {
      store<f32>(out + ((lane * columns + row) << 2), load<f32>(panel + row * ROW + (lane << 2)));
    }
  }
}

function total(row: usize): f32 {
  let sum: f32 = 0;
  for (let lane: usize = 0; lane < LANES; lane++) sum += load<f32>(row + (lane << 2));
  return sum;
}

function scale(from: usize, count: usize, by: v128): void {
  for (let at = from; at < from + (count << 2); at += 16) v128.store(at, f32x4.mul(v128.load(at), by));
}

/** What a block adds to the image, and the norm after it. */
@unmanaged
class Answer {
  channels: usize;
  epsilon: f32;
  masks: usize; // columns of a mask that was given, the first of all
  fixed: usize; // `fixedRows` rows in each panel: what no prompt changes of the products of columns and base
  fixedRows: usize;
  firstShift: usize; // the row of `fixed` that belongs to the second block, the others follow
  norm: usize; // a row in each panel: squares of the base
  blocks: usize; // so far, this one included
  products: usize; // rows x rows of all columns with each other, as they are after this block
  productsStep: usize;
  views: usize; // addresses of the blocks' views, heads * width rows in each panel
  everywhere: usize; // addresses of 4 x heads * width: the first token's values, three rows of zeros
  differing: usize; // addresses of heads x rows x width: what others have beyond the first token's
}

/**
 * The image answers the tokens and is normalised: a softmax over the tokens gives new coefficients, one for the first
 * token's value, which is added everywhere, and one for each other token and head.
 * scratch: (heads * rows + 2 * room) rows.
 */
export function answer(attention: Attention, image: Image, told: Answer, scratch: usize): void {
  const rows = attention.heads * attention.rows;
  const before = image.columns;
  const after = before + 1 + attention.heads * (attention.tokens - 1);
  const crossed = scratch + rows * ROW;
  const squared = crossed + image.room * ROW;
  for (let panel: usize = 0; panel < image.panels; panel++) {
    const coefficients = image.coefficients + panel * image.room * ROW;
    scores(attention, image, panel, scratch);
    share(attention, scratch, coefficients + before * ROW);
    cross(attention, told, panel, crossed);
    multiply(told.products, told.productsStep, after, after, coefficients, ROW, squared, ROW, false);
    normalise(image, told, panel, after, crossed, squared);
  }
  image.columns = after;
  image.placed = 1;
}

/** Scores of a panel -> weights: a row of ones, then for each head those of all tokens but the first. */
function share(attention: Attention, from: usize, to: usize): void {
  for (let half: usize = 0; half < ROW; half += 16) v128.store(to + half, f32x4.splat(1));
  to += ROW;
  for (let head: usize = 0; head < attention.heads; head++) {
    for (let half: usize = 0; half < ROW; half += 16) {
      const start = from + half;
      const end = start + attention.tokens * ROW;
      let high = v128.load(start);
      for (let at = start + ROW; at < end; at += ROW) high = f32x4.pmax(high, v128.load(at));
      let sum = f32x4.splat(0);
      for (let at = start; at < end; at += ROW) {
        const weight = exponential(f32x4.sub(v128.load(at), high));
        v128.store(at, weight);
        sum = f32x4.add(sum, weight);
      }
      const each = f32x4.div(f32x4.splat(1), sum);
      let out = to + half;
      for (let at = start + ROW; at < end; at += ROW) {
        v128.store(out, f32x4.mul(v128.load(at), each));
        out += ROW;
      }
    }
    from += attention.rows * ROW;
    to += (attention.tokens - 1) * ROW;
  }
}

/** Products of all columns with the base of a panel, in the order of the columns. */
function cross(attention: Attention, told: Answer, panel: usize, out: usize): void {
  const inner = attention.heads * attention.width;
  const others = attention.tokens - 1;
  const fixed = told.fixed + panel * told.fixedRows * ROW;
  memory.copy(out, fixed, told.masks * ROW);
  out += told.masks * ROW;
  for (let block: usize = 0; block < told.blocks; block++) {
    const view = load<usize>(told.views + (block << 2)) + panel * inner * ROW;
    // Rows of zeros fill products up to four rows; what follows is written over them.
    multiply(load<usize>(told.everywhere + (block << 2)), inner << 2, 4, inner, view, ROW, out, ROW, false);
    if (block) {
      const shift = fixed + (told.firstShift + block - 1) * ROW;
      v128.store(out, f32x4.add(v128.load(out), v128.load(shift)));
      v128.store(out, f32x4.add(v128.load(out, 16), v128.load(shift, 16)), 16);
    }
    out += ROW;
    const differing = load<usize>(told.differing + (block << 2));
    for (let head: usize = 0; head < attention.heads; head++) {
      const rows = differing + ((head * attention.rows * attention.width) << 2);
      const here = view + head * attention.width * ROW;
      multiply(rows, attention.width << 2, (others + 3) & ~3, attention.width, here, ROW, out, ROW, false);
      out += others * ROW;
    }
  }
}

/** The norm of a panel: every position's coefficients and level times one over its deviation. */
function normalise(image: Image, told: Answer, panel: usize, columns: usize, crossed: usize, squared: usize): void {
  const coefficients = image.coefficients + panel * image.room * ROW;
  for (let half: usize = 0; half < ROW; half += 16) {
    const at = image.level + panel * ROW + half;
    const level = image.placed ? v128.load(at) : f32x4.splat(1);
    const twice = f32x4.add(level, level);
    let sum = f32x4.mul(f32x4.mul(level, level), v128.load(told.norm + panel * ROW + half));
    for (let row = half; row < columns * ROW; row += ROW) {
      const both = fused(twice, v128.load(crossed + row), v128.load(squared + row));
      sum = fused(both, v128.load(coefficients + row), sum);
    }
    const scale = normal(f32x4.pmax(f32x4.splat(0), sum), told.channels, told.epsilon);
    v128.store(at, f32x4.mul(level, scale));
    for (let row = half; row < columns * ROW; row += ROW) {
      v128.store(coefficients + row, f32x4.mul(v128.load(coefficients + row), scale));
    }
  }
}

/** rows x columns plus a bias for each row; `positive`: what is below zero becomes zero. */
export function addBias(map: usize, rows: usize, columns: usize, bias: usize, positive: bool): void {
  const least = f32x4.splat(positive ? 0 : -f32.MAX_VALUE);
  for (let row: usize = 0; row < rows; row++) {
    const own = v128.load32_splat(bias + (row << 2));
    for (const end = map + (columns << 2); map < end; map += 16) {
      v128.store(map, f32x4.pmax(least, f32x4.add(v128.load(map), own)));
    }
  }
}

/** Layer normalisation of every column of rows x columns, in place; gain and bias for each row. */
export function normColumns(map: usize, rows: usize, columns: usize, gain: usize, bias: usize, epsilon: f32): void {
  const step = columns << 2;
  for (let start = map; start < map + step; start += 16) {
    const end = start + rows * step;
    let sum = f32x4.splat(0);
    for (let at = start; at < end; at += step) sum = f32x4.add(sum, v128.load(at));
    const mean = f32x4.div(sum, f32x4.splat(<f32>rows));
    let squares = f32x4.splat(0);
    for (let at = start; at < end; at += step) {
      const centred = f32x4.sub(v128.load(at), mean);
      squares = fused(centred, centred, squares);
    }
    const scale = normal(squares, rows, epsilon);
    let weight = gain;
    let shift = bias;
    for (let at = start; at < end; at += step) {
      const centred = f32x4.mul(f32x4.sub(v128.load(at), mean), scale);
      v128.store(at, fused(centred, v128.load32_splat(weight), v128.load32_splat(shift)));
      weight += 4;
      shift += 4;
    }
  }
}

/** GELU of `count` numbers in place, a multiple of 4. */
function geluOf(from: usize, count: usize): void {
  for (let at = from; at < from + (count << 2); at += 16) v128.store(at, gelu(v128.load(at)));
}

/** Weights of the convolutions that a mask goes through. */
@unmanaged
class MaskWeights {
  channels: usize; // after the second convolution; a quarter of them after the first, a multiple of 4
  epsilon: f32;
  first: usize; // channels / 4 x 4 pixels
  firstBias: usize;
  firstGain: usize;
  firstShift: usize;
  second: usize; // channels x (channels / 4 * 4 places)
  secondBias: usize;
  secondGain: usize;
  secondShift: usize;
}

/** Coefficients of a mask that was given, as 4 height x 4 width logits: `channels` rows and one of ones.
 * scratch: 4 * channels + 16 rows. */
export function maskCodes(weights: MaskWeights, image: Image, mask: usize, width: usize, scratch: usize): void {
  const quarter = weights.channels / 4;
  const made = scratch + 4 * ROW;
  const joined = made + quarter * ROW;
  for (let panel: usize = 0; panel < image.panels; panel++) {
    const out = image.coefficients + panel * image.room * ROW;
    for (let part: usize = 0; part < 4; part++) {
      pixels(image, mask, width, panel, part, scratch);
      multiply(weights.first, 16, quarter, 4, scratch, ROW, made, ROW, false);
      addBias(made, quarter, LANES, weights.firstBias, false);
      normColumns(made, quarter, LANES, weights.firstGain, weights.firstShift, weights.epsilon);
      geluOf(made, quarter * LANES);
      for (let row: usize = 0; row < quarter; row++) {
        memory.copy(joined + (row * 4 + part) * ROW, made + row * ROW, ROW);
      }
    }
    multiply(weights.second, weights.channels << 2, weights.channels, weights.channels, joined, ROW, out, ROW, false);
    addBias(out, weights.channels, LANES, weights.secondBias, false);
    normColumns(out, weights.channels, LANES, weights.secondGain, weights.secondShift, weights.epsilon);
    geluOf(out, weights.channels * LANES);
    for (let half: usize = 0; half < ROW; half += 16) v128.store(out + weights.channels * ROW + half, f32x4.splat(1));
  }
}

/** The 2 x 2 pixels of one part of each position's 4 x 4, as four rows. */
function pixels(image: Image, mask: usize, width: usize, panel: usize, part: usize, out: usize): void {
  const side = width * 4;
  for (let lane: usize = 0; lane < LANES; lane++) {
    const position = min(panel * LANES + lane, image.positions - 1);
    const y = (position / width) * 4 + (part & 2);
    const x = (position % width) * 4 + 2 * (part & 1);
    for (let pixel: usize = 0; pixel < 4; pixel++) {
      const from = mask + (((y + (pixel >> 1)) * side + x + (pixel & 1)) << 2);
      store<f32>(out + pixel * ROW + (lane << 2), load<f32>(from));
    }
  }
}
