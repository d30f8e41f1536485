/**
 * Convolutions of the default model's decoder (modelzoo/model/compact_weights.py has their weights).
 *
 * A map of pictures lies in planes: channels x (height + 2) x (width + 2), row by row, with a border of zeros. Eight
 * places side by side are one panel, and what lies around them is copied into the rows of another, so that every
 * convolution is a product. Loads may reach beyond the last row: SLACK numbers after each map are nobody's.
 */
import { LANES, multiply, ROW } from "./panels";

/** Places that a transposed convolution makes of each. */
const PARTS: usize = 4;

/** Written by src/segmenter/planes.ts, in this order; other tasks by compactDecoder.ts and foldedImage.ts there. */
@unmanaged
export class Planes {
  data: usize;
  channels: usize;
  height: usize;
  width: usize;

  get row(): usize {
    return (this.width + 2) << 2;
  }

  get plane(): usize {
    return (this.height + 2) * this.row;
  }

  /** Where a place lies; -1 and the sides themselves are the border. */
  at(channel: usize, y: usize, x: usize): usize {
    return this.data + channel * this.plane + (y + 1) * this.row + ((x + 1) << 2);
  }
}

@unmanaged
class Convolution {
  weight: usize; // outputs x (inputs * kernel * kernel)
  bias: usize; // outputs
  kernel: usize; // rows and columns: 1 or 3, about the middle
  stride: usize; // 1 or 2
  positive: usize; // what is below zero becomes zero
  scratch: usize; // a row for every input, row and column of the kernel, then one for every row of `weight`
}

/** What eight places side by side see of a map: inputs * kernel * kernel rows. */
export function gather(from: Planes, kernel: usize, stride: usize, y: usize, x: usize, out: usize): void {
  const before = kernel >> 1;
  for (let channel: usize = 0; channel < from.channels; channel++) {
    let at = from.at(channel, y * stride - before, x * stride - before);
    for (let row: usize = 0; row < kernel; row++) {
      for (let column: usize = 0; column < kernel; column++) {
        const start = at + (column << 2);
        if (stride === 1) {
          v128.store(out, v128.load(start));
          v128.store(out, v128.load(start, 16), 16);
        } else {
          v128.store(out, v128.shuffle<f32>(v128.load(start), v128.load(start, 16), 0, 2, 4, 6));
          v128.store(out, v128.shuffle<f32>(v128.load(start, 32), v128.load(start, 48), 0, 2, 4, 6), 16);
        }
        out += ROW;
      }
      at += from.row;
    }
  }
}

/** The first `count` of a row of a panel. */
function put(to: usize, left: v128, right: v128, count: usize): void {
  if (count >= LANES) {
    v128.store(to, left);
    v128.store(to, right, 16);
    return;
  }
  if (count >= 4) {
    v128.store(to, left);
    to += 16;
    left = right;
    count -= 4;
  }
  if (count > 0) store<f32>(to, f32x4.extract_lane(left, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(left, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(left, 2), 8);
}

/** A convolution with its bias; what lies in `more`, which may be `to` itself, is added to it. */
export function convolve(task: Convolution, from: Planes, more: Planes | null, to: Planes): void {
  const depth = from.channels * task.kernel * task.kernel;
  const made = task.scratch + depth * ROW;
  const least = f32x4.splat(task.positive ? 0 : -f32.MAX_VALUE);
  for (let y: usize = 0; y < to.height; y++) {
    for (let x: usize = 0; x < to.width; x += LANES) {
      gather(from, task.kernel, task.stride, y, x, task.scratch);
      multiply(task.weight, depth << 2, to.channels, depth, task.scratch, ROW, made, ROW, false);
      for (let channel: usize = 0; channel < to.channels; channel++) {
        const bias = v128.load32_splat(task.bias + (channel << 2));
        let left = f32x4.add(v128.load(made + channel * ROW), bias);
        let right = f32x4.add(v128.load(made + channel * ROW, 16), bias);
        if (more) {
          const own = more.at(channel, y, x);
          left = f32x4.add(left, v128.load(own));
          right = f32x4.add(right, v128.load(own, 16));
        }
        put(to.at(channel, y, x), f32x4.pmax(least, left), f32x4.pmax(least, right), to.width - x);
      }
    }
  }
}

/**
 * A transposed convolution that makes 2 x 2 places of each, its bias and what lies in `more` added. Its weight is
 * (2 * 2 * outputs) x inputs; kernel and stride do not count.
 */
export function enlarge(task: Convolution, from: Planes, more: Planes, to: Planes): void {
  const made = task.scratch + from.channels * ROW;
  const least = f32x4.splat(task.positive ? 0 : -f32.MAX_VALUE);
  for (let y: usize = 0; y < from.height; y++) {
    for (let x: usize = 0; x < from.width; x += LANES) {
      gather(from, 1, 1, y, x, task.scratch);
      multiply(
        task.weight,
        from.channels << 2,
        PARTS * to.channels,
        from.channels,
        task.scratch,
        ROW,
        made,
        ROW,
        false,
      );
      const count: usize = 2 * min(LANES, from.width - x);
      for (let channel: usize = 0; channel < to.channels; channel++) {
        const bias = v128.load32_splat(task.bias + (channel << 2));
        for (let row: usize = 0; row < 2; row++) {
          const even = made + (2 * row * to.channels + channel) * ROW;
          const odd = even + to.channels * ROW;
          const own = more.at(channel, 2 * y + row, 2 * x);
          const out = to.at(channel, 2 * y + row, 2 * x);
          for (let half: usize = 0; half < 2; half++) {
            if (count <= half * LANES) break;
            const one = v128.load(even + half * 16);
            const other = v128.load(odd + half * 16);
            const at = half * ROW;
            const left = f32x4.add(v128.shuffle<f32>(one, other, 0, 4, 1, 5), f32x4.add(bias, v128.load(own + at)));
            const right = f32x4.add(
              v128.shuffle<f32>(one, other, 2, 6, 3, 7),
              f32x4.add(bias, v128.load(own + at, 16)),
            );
            put(out + at, f32x4.pmax(least, left), f32x4.pmax(least, right), count - half * LANES);
          }
        }
      }
    }
  }
}

/** Planes -> a panel of all channels for each eight positions, counted row by row; the last is filled up with zeros. */
export function toPanels(from: Planes, to: usize): void {
  const positions = from.height * from.width;
  const panels = (positions + LANES - 1) / LANES;
  memory.fill(to + (panels - 1) * from.channels * ROW, 0, from.channels * ROW);
  for (let position: usize = 0; position < positions; position++) {
    let at = from.at(0, position / from.width, position % from.width);
    let out = to + (position / LANES) * from.channels * ROW + ((position % LANES) << 2);
    for (let channel: usize = 0; channel < from.channels; channel++) {
      store<f32>(out, load<f32>(at));
      at += from.plane;
      out += ROW;
    }
  }
}

/** Panels -> planes, the other way round. */
export function toPlanes(from: usize, to: Planes): void {
  for (let position: usize = 0; position < to.height * to.width; position++) {
    let out = to.at(0, position / to.width, position % to.width);
    let at = from + (position / LANES) * to.channels * ROW + ((position % LANES) << 2);
    for (let channel: usize = 0; channel < to.channels; channel++) {
      store<f32>(out, load<f32>(at));
      out += to.plane;
      at += ROW;
    }
  }
}
