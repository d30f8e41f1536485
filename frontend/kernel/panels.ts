/**
 * Arithmetic on panels: maps of eight columns, f32, row by row, as they fit the vectors of WebAssembly. A map of more
 * columns is told by the bytes from one of its rows to the next, its `step`.
 */

/** Columns of a panel, and bytes of its row. */
export const LANES: usize = 8;
export const ROW: usize = 32;

const LIMIT: f32 = 5.5;
const ROUNDER: f32 = 12582912; // 1.5 * 2^23: so large a sum has no binary places left

/** a * b + c */
export function fused(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

/**
 * x times the share of a normal distribution that lies below x, within 2e-6. The error function of x / sqrt(2) is taken
 * as x P(x^2) / Q(x^2) up to LIMIT, from where on it is one: the ratio whose largest difference is the least (2e-7).
 */
export function gelu(x: v128): v128 {
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

/** e^y for y <= 0, within two units in the last place; below -87 as there. The polynomial of the Cephes library. */
export function exponential(y: v128): v128 {
  const low = f32x4.pmax(f32x4.splat(-87), y);
  const rounded = fused(low, f32x4.splat(Mathf.LOG2E), f32x4.splat(ROUNDER)); // its last bits are the whole number n
  const n = f32x4.sub(rounded, f32x4.splat(ROUNDER));
  let r = fused(n, f32x4.splat(-0.693359375), low);
  r = fused(n, f32x4.splat(2.1219444e-4), r);
  let sum = f32x4.splat(1.98756915e-4);
  sum = fused(sum, r, f32x4.splat(1.3981999507e-3));
  sum = fused(sum, r, f32x4.splat(8.3334519073e-3));
  sum = fused(sum, r, f32x4.splat(4.1665795894e-2));
  sum = fused(sum, r, f32x4.splat(1.6666665459e-1));
  sum = fused(sum, r, f32x4.splat(5.0000001201e-1));
  sum = f32x4.add(fused(sum, f32x4.mul(r, r), r), f32x4.splat(1));
  const power = i32x4.add(i32x4.shl(rounded, 23), i32x4.splat(127 << 23));
  return f32x4.mul(sum, power);
}

/** What a norm multiplies by: one over the deviation of `count` numbers without their mean, told their squares' sum. */
export function normal(squares: v128, count: usize, epsilon: f32): v128 {
  const variance = f32x4.add(f32x4.div(squares, f32x4.splat(<f32>count)), f32x4.splat(epsilon));
  return f32x4.div(f32x4.splat(1), f32x4.sqrt(variance));
}

/** A map of rows x depth times a panel of `depth` rows -> a panel of `rows` rows, a multiple of 4; `more`: added. */
export function multiply(
  map: usize,
  mapStep: usize,
  rows: usize,
  depth: usize,
  panel: usize,
  step: usize,
  out: usize,
  outStep: usize,
  more: bool,
): void {
  for (let row: usize = 0; row < rows; row += 4) {
    let a0 = map;
    let a1 = map + mapStep;
    let a2 = a1 + mapStep;
    let a3 = a2 + mapStep;
    let from = panel;
    const out1 = out + outStep;
    const out2 = out1 + outStep;
    const out3 = out2 + outStep;
    let c00 = f32x4.splat(0);
    let c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0);
    let c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0);
    let c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0);
    let c31 = f32x4.splat(0);
    if (more) {
      c00 = v128.load(out);
      c01 = v128.load(out, 16);
      c10 = v128.load(out1);
      c11 = v128.load(out1, 16);
      c20 = v128.load(out2);
      c21 = v128.load(out2, 16);
      c30 = v128.load(out3);
      c31 = v128.load(out3, 16);
    }
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
    v128.store(out1, c10);
    v128.store(out1, c11, 16);
    v128.store(out2, c20);
    v128.store(out2, c21, 16);
    v128.store(out3, c30);
    v128.store(out3, c31, 16);
    map += 4 * mapStep;
    out += 4 * outStep;
  }
}

/** A map of rows x depth times one of depth x columns, a multiple of 8 -> rows x columns. */
export function product(
  map: usize,
  mapStep: usize,
  rows: usize,
  depth: usize,
  right: usize,
  columns: usize,
  out: usize,
  more: bool,
): void {
  const step = columns << 2;
  for (let at: usize = 0; at < step; at += ROW)
    multiply(map, mapStep, rows, depth, right + at, step, out + at, step, more);
}

/** rows x positions -> one panel of `rows` rows for each eight positions; the last is filled up with zeros. */
export function pack(from: usize, rows: usize, positions: usize, to: usize): void {
  for (let start: usize = 0; start < positions; start += LANES) {
    const lanes = min(LANES, positions - start);
    for (let row: usize = 0; row < rows; row++) {
      memory.fill(to, 0, ROW);
      memory.copy(to, from + ((row * positions + start) << 2), lanes << 2);
      to += ROW;
    }
  }
}
