/**
 * The last step of a SAM decoder, from the sketch of a prompt to the logits of its masks: `Drawing` of
 * modelzoo/model/prepared_decoder.py, which has the formulas and says what each input is.
 *
 * AssemblyScript, made into WebAssembly by vite.kernel.ts: once with fused multiply-add (relaxed SIMD), once without.
 * Eight positions of the embedding are taken through all steps at a time, so that what is made of them on the way stays
 * in the nearest cache. Every map is f32, row-major; `panels` are maps of eight columns.
 */

/** Positions of the embedding that are drawn together: two vectors of four. */
const LANES: usize = 8;
const ROW: usize = 32; // bytes of a panel's row
const LIMIT: f32 = 5.5;
const PARTS: usize = 4; // a transposed convolution makes 2 x 2 of each position

/** Sizes, then addresses. vite-side twin: `FIELDS` of src/segmenter/drawingKernel.ts, in the same order. */
@unmanaged
class Task {
  positions: usize; // of the embedding, row by row; at least LANES
  width: usize; // of the embedding
  columns: usize; // of the sketch
  channels: usize; // after the first step of the upscaling; a multiple of 4
  hidden: usize; // after the second step
  masks: usize; // a multiple of 4
  epsilon: f32; // of the norm
  base: usize; // channels * PARTS x positions
  level: usize; // positions
  coefficients: usize; // columns x positions
  spread: usize; // channels * PARTS x columns
  weights: usize; // masks x hidden
  firstBias: usize; // channels * PARTS
  normWeight: usize; // channels
  normBias: usize; // channels
  secondWeight: usize; // PARTS * hidden x channels
  secondBias: usize; // hidden
  scratch: usize; // (columns + (channels * PARTS) + (PARTS * hidden) + masks) panel rows
  logits: usize; // masks x 4 height x 4 width
}

/** a * b + c */
function fused(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * x times the share of a normal distribution that lies below x, within 2e-6. The error function of x / sqrt(2) is taken
 * as x P(x^2) / Q(x^2) up to LIMIT, from where on it is one: the ratio whose largest difference is the least (2e-7).
 */
function gelu(x: v128): v128 {
  const near = f32x4.pmax(f32x4.splat(-LIMIT), f32x4.pmin(f32x4.splat(LIMIT), x));
  const t = f32x4.mul(near, near);
  let over = f32x4.splat(1.47008325e-5);
  over = fused(over, t, f32x4.splat(8.19299445e-4));
  over = fused(over, t, f32x4.splat(1.22911328e-2));
  over = fused(over, t, f32x4.splat(1.1632892e-1));
  over = fused(over, t, f32x4.splat(7.97883159e-1));
  let under = f32x4.splat(6.03748347e-7);
  under = fused(under, t, f32x4.splat(1.47134394e-4));
  under = fused(under, t, f32x4.splat(3.25865857e-3));
  under = fused(under, t, f32x4.splat(4.25001019e-2));
  under = fused(under, t, f32x4.splat(3.12452191e-1));
  under = fused(under, t, f32x4.splat(1));
  const half = f32x4.mul(x, f32x4.splat(0.5));
  return fused(half, f32x4.div(f32x4.mul(near, over), under), half);
}

/** rows x depth times a panel whose rows lie `step` bytes apart -> a panel of `rows` rows, a multiple of 4. */
function multiply(map: usize, rows: usize, depth: usize, panel: usize, step: usize, out: usize): void {
  const stride = depth << 2;
  for (let row: usize = 0; row < rows; row += 4) {
    let a0 = map;
    let a1 = map + stride;
    let a2 = map + 2 * stride;
    let a3 = map + 3 * stride;
    let from = panel;
    let c00 = f32x4.splat(0);
    let c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0);
    let c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0);
    let c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0);
    let c31 = f32x4.splat(0);
    for (let at: usize = 0; at < depth; at++) {
      const left = v128.load(from);
      const right = v128.load(from, 16);
      let one = v128.load32_splat(a0);
      c00 = fused(one, left, c00);
      c01 = fused(one, right, c01);
      one = v128.load32_splat(a1);
      c10 = fused(one, left, c10);
      c11 = fused(one, right, c11);
      one = v128.load32_splat(a2);
      c20 = fused(one, left, c20);
      c21 = fused(one, right, c21);
      one = v128.load32_splat(a3);
      c30 = fused(one, left, c30);
      c31 = fused(one, right, c31);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      from += step;
    }
    v128.store(out, c00);
    v128.store(out, c01, 16);
    v128.store(out, c10, 32);
    v128.store(out, c11, 48);
    v128.store(out, c20, 64);
    v128.store(out, c21, 80);
    v128.store(out, c30, 96);
    v128.store(out, c31, 112);
    map += 4 * stride;
    out += 4 * ROW;
  }
}

/** Adds the image's part to what the prompt made of the first step, then the norm and GELU, in place. */
function finishFirst(task: Task, position: usize, first: usize): void {
  const shift = position << 2;
  const stride = task.positions << 2;
  for (let half: usize = 0; half < ROW; half += 16) {
    const level = v128.load(task.level + shift + half);
    for (let part: usize = 0; part < PARTS; part++) {
      let squares = f32x4.splat(0);
      for (let channel: usize = 0; channel < task.channels; channel++) {
        const row = channel * PARTS + part;
        const at = first + row * ROW + half;
        const own = f32x4.add(v128.load(at), v128.load32_splat(task.firstBias + (row << 2)));
        const x = fused(level, v128.load(task.base + row * stride + shift + half), own);
        v128.store(at, x);
        squares = fused(x, x, squares);
      }
      const mean = f32x4.div(squares, f32x4.splat(<f32>task.channels));
      const scale = f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(mean, f32x4.splat(task.epsilon))));
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
function finishSecond(task: Task, second: usize): void {
  for (let row: usize = 0; row < PARTS * task.hidden; row++) {
    const bias = v128.load32_splat(task.secondBias + ((row % task.hidden) << 2));
    const at = second + row * ROW;
    v128.store(at, gelu(f32x4.add(v128.load(at), bias)));
    v128.store(at, gelu(f32x4.add(v128.load(at, 16), bias)), 16);
  }
}

/** Puts a panel of masks where its logits belong: one of 4 x 4 for each position. */
function place(task: Task, position: usize, row: usize, column: usize, panel: usize): void {
  const side = task.width * 4;
  const map = (task.positions * 16) << 2;
  for (let lane: usize = 0; lane < LANES; lane++) {
    const y = (position + lane) / task.width;
    const x = (position + lane) % task.width;
    let to = task.logits + (((4 * y + row) * side + 4 * x + column) << 2);
    let from = panel + (lane << 2);
    for (let mask: usize = 0; mask < task.masks; mask++) {
      store<f32>(to, load<f32>(from));
      to += map;
      from += ROW;
    }
  }
}

/** LANES positions, from `position` on. */
function drawPanel(task: Task, position: usize): void {
  const packed = task.scratch;
  const first = packed + task.columns * ROW;
  const second = first + task.channels * PARTS * ROW;
  const masks = second + task.hidden * PARTS * ROW;
  let from = task.coefficients + (position << 2);
  for (let column: usize = 0; column < task.columns; column++) {
    const to = packed + column * ROW;
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    from += task.positions << 2;
  }
  multiply(task.spread, task.channels * PARTS, task.columns, packed, ROW, first);
  finishFirst(task, position, first);
  for (let outer: usize = 0; outer < PARTS; outer++) {
    const seen = first + outer * ROW;
    multiply(task.secondWeight, task.hidden * PARTS, task.channels, seen, PARTS * ROW, second);
    finishSecond(task, second);
    for (let inner: usize = 0; inner < PARTS; inner++) {
      const told = second + inner * task.hidden * ROW;
      multiply(task.weights, task.masks, task.hidden, told, ROW, masks);
      place(task, position, (outer & 2) + (inner >> 1), 2 * (outer & 1) + (inner & 1), masks);
    }
  }
}

/** Draws rows y0 to y1 and columns x0 to x1 of the embedding's positions; a few beside them may be drawn as well. */
export function draw(task: Task, y0: usize, y1: usize, x0: usize, x1: usize): void {
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x += LANES) drawPanel(task, min(y * task.width + x, task.positions - LANES));
  }
}
