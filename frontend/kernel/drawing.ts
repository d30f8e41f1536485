/**
 * The last step of a SAM decoder, from the sketch of a prompt to the logits of its masks: `Drawing` of
 * modelzoo/model/prepared_decoder.py, which has the formulas.
 *
 * A panel is taken through all steps before the next one, so that what is made of it on the way stays in the nearest
 * cache.
 */
import { fused, gelu, LANES, multiply, normal, ROW } from "./panels";
import { Image } from "./sketch";

/** A transposed convolution makes 2 x 2 of each position. */
const PARTS: usize = 4;

/** Written by `PreparedDecoder.drawing` (src/segmenter/preparedDecoder.ts), in this order. */
@unmanaged
class Drawing {
  width: usize; // of the embedding
  channels: usize; // after the first step of the upscaling; a multiple of 4
  hidden: usize; // after the second step
  masks: usize; // a multiple of 4
  epsilon: f32; // of the norm
  base: usize; // channels * PARTS rows in each panel
  spread: usize; // channels * PARTS x columns
  spreadStep: usize; // bytes of a row of it
  weights: usize; // masks x hidden
  firstBias: usize; // channels * PARTS
  normWeight: usize; // channels
  normBias: usize; // channels
  secondWeight: usize; // PARTS * hidden x channels
  secondBias: usize; // hidden
  scratch: usize; // channels * PARTS + hidden * PARTS + masks rows
  logits: usize; // masks x 4 height x 4 width
}

/** Adds the image's part to what the prompt made of the first step, then the norm and GELU, in place. */
function finishFirst(task: Drawing, level: usize, base: usize, first: usize): void {
  for (let half: usize = 0; half < ROW; half += 16) {
    const factor = v128.load(level + half);
    for (let part: usize = 0; part < PARTS; part++) {
      let squares = f32x4.splat(0);
      for (let channel: usize = 0; channel < task.channels; channel++) {
        const row = channel * PARTS + part;
        const at = first + row * ROW + half;
        const own = f32x4.add(v128.load(at), v128.load32_splat(task.firstBias + (row << 2)));
        const x = fused(factor, v128.load(base + row * ROW + half), own);
        v128.store(at, x);
        squares = fused(x, x, squares);
      }
      const scale = normal(squares, task.channels, task.epsilon);
      for (let channel: usize = 0; channel < task.channels; channel++) {
        const at = first + (channel * PARTS + part) * ROW + half;
        const gain = v128.load32_splat(task.normWeight + (channel << 2));
        const bias = v128.load32_splat(task.normBias + (channel << 2));
        v128.store(at, gelu(fused(f32x4.mul(v128.load(at), scale), gain, bias)));
      }
    }
  }
}

/** Bias and GELU of the second step, in place. */
function finishSecond(task: Drawing, second: usize): void {
  for (let row: usize = 0; row < PARTS * task.hidden; row++) {
    const bias = v128.load32_splat(task.secondBias + ((row % task.hidden) << 2));
    const at = second + row * ROW;
    v128.store(at, gelu(f32x4.add(v128.load(at), bias)));
    v128.store(at, gelu(f32x4.add(v128.load(at, 16), bias)), 16);
  }
}

/** Puts a panel of masks where its logits belong: one of 4 x 4 for each position. */
function place(task: Drawing, image: Image, panel: usize, row: usize, column: usize, masks: usize): void {
  const side = task.width * 4;
  const map = (image.positions * 16) << 2;
  const first = panel * LANES;
  const end = min(first + LANES, image.positions);
  for (let position = first; position < end; position++) {
    const y = position / task.width;
    const x = position % task.width;
    let to = task.logits + (((4 * y + row) * side + 4 * x + column) << 2);
    let from = masks + ((position - first) << 2);
    for (let mask: usize = 0; mask < task.masks; mask++) {
      store<f32>(to, load<f32>(from));
      to += map;
      from += ROW;
    }
  }
}

function drawPanel(task: Drawing, image: Image, panel: usize): void {
  const rows = task.channels * PARTS;
  const first = task.scratch;
  const second = first + rows * ROW;
  const masks = second + task.hidden * PARTS * ROW;
  const coefficients = image.coefficients + panel * image.room * ROW;
  multiply(task.spread, task.spreadStep, rows, image.columns, coefficients, ROW, first, ROW, false);
  finishFirst(task, image.level + panel * ROW, task.base + panel * rows * ROW, first);
  for (let outer: usize = 0; outer < PARTS; outer++) {
    const seen = first + outer * ROW;
    const hidden = task.hidden;
    multiply(
      task.secondWeight,
      task.channels << 2,
      hidden * PARTS,
      task.channels,
      seen,
      PARTS * ROW,
      second,
      ROW,
      false,
    );
    finishSecond(task, second);
    for (let inner: usize = 0; inner < PARTS; inner++) {
      const told = second + inner * hidden * ROW;
      multiply(task.weights, hidden << 2, task.masks, hidden, told, ROW, masks, ROW, false);
      place(task, image, panel, (outer & 2) + (inner >> 1), 2 * (outer & 1) + (inner & 1), masks);
    }
  }
}

/** Draws rows y0 to y1 and columns x0 to x1 of the embedding's positions; a few beside them are drawn as well. */
export function draw(task: Drawing, image: Image, y0: usize, y1: usize, x0: usize, x1: usize): void {
  let next: usize = 0; // the first panel that is not drawn yet
  for (let y = y0; y < y1; y++) {
    const end = (y * task.width + x1 - 1) / LANES + 1;
    for (let panel = max(next, (y * task.width + x0) / LANES); panel < end; panel++) drawPanel(task, image, panel);
    next = end;
  }
}
