import { type Columns, columnsIn, type DecoderWeights } from "./decoderWeights";
import { type KernelMemory, WORD } from "./kernelMemory";
import type { Program } from "./program";

/** Layers of a decoder on maps of channels x tokens, each of which is made anew. */
export class TokenMaths {
  private readonly epsilon: number;

  constructor(
    private readonly program: Program,
    private readonly memory: KernelMemory,
    private readonly weights: DecoderWeights,
    private readonly heads: number,
  ) {
    this.epsilon = weights.number("token_epsilon");
  }

  /** Rows of numbers, each a column of the map. */
  of(rows: readonly ArrayLike<number>[]): Columns {
    const length = rows[0]?.length ?? 0;
    const map = columnsIn(this.memory, length, rows.length);
    const values = this.values(map);
    for (const [column, row] of rows.entries()) {
      for (let at = 0; at < length; at++) values[at * map.width + column] = row[at] ?? 0;
    }
    return map;
  }

  values({ address, rows, width }: Columns): Float32Array {
    return this.memory.floats(address, rows * width);
  }

  column(map: Columns, column: number): Float32Array {
    const values = this.values(map);
    return Float32Array.from({ length: map.rows }, (_, row) => values[row * map.width + column] ?? 0);
  }

  sum(one: Columns, other: Columns): Columns {
    const made = columnsIn(this.memory, one.rows, one.count);
    const [values, a, b] = [this.values(made), this.values(one), this.values(other)];
    for (let at = 0; at < values.length; at++) values[at] = (a[at] ?? 0) + (b[at] ?? 0);
    return made;
  }

  /** Weights of that name times a map, without their bias. */
  times(name: string, map: Columns): Columns {
    const made = columnsIn(this.memory, this.weights.side(name, 0), map.count);
    const step = map.rows * WORD;
    this.program.product(
      this.weights.address(name),
      step,
      made.rows,
      map.rows,
      map.address,
      map.width,
      made.address,
      false,
    );
    return made;
  }

  linear(name: string, map: Columns, positive = false): Columns {
    const made = this.times(`${name}.weight`, map);
    this.program.addBias(made.address, made.rows, made.width, this.weights.address(`${name}.bias`), positive);
    return made;
  }

  /** In place. */
  norm(name: string, map: Columns): Columns {
    const [gain, bias] = [this.weights.address(`${name}.weight`), this.weights.address(`${name}.bias`)];
    this.program.normColumns(map.address, map.rows, map.width, gain, bias, this.epsilon);
    return map;
  }

  mlp(name: string, map: Columns): Columns {
    return this.linear(`${name}.lin2`, this.linear(`${name}.lin1`, map, true));
  }

  /** Attention of the tokens to themselves. */
  attended(name: string, placed: Columns, plain: Columns): Columns {
    const [q, k, v] = [
      this.linear(`${name}.q_proj`, placed),
      this.linear(`${name}.k_proj`, placed),
      this.linear(`${name}.v_proj`, plain),
    ];
    const mixed = columnsIn(this.memory, v.rows, v.count);
    const maps = [q, k, v, mixed].map((map) => this.values(map)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let head = 0; head < this.heads; head++) {
      for (let token = 0; token < v.count; token++) attend(maps, v, v.rows / this.heads, head, token);
    }
    return this.linear(`${name}.out_proj`, mixed);
  }
}

/** One token of one head. */
function attend(
  [q, k, v, out]: readonly [Float32Array, Float32Array, Float32Array, Float32Array],
  { count, width }: Columns,
  size: number,
  head: number,
  token: number,
): void {
  const start = head * size * width;
  const scores = new Float64Array(count);
  for (let other = 0; other < count; other++) {
    let sum = 0;
    for (let at = start; at < start + size * width; at += width) sum += (q[at + token] ?? 0) * (k[at + other] ?? 0);
    scores[other] = sum / Math.sqrt(size);
  }
  const high = Math.max(...scores);
  const shares = scores.map((score) => Math.exp(score - high));
  const total = shares.reduce((sum, share) => sum + share, 0);
  for (let at = start; at < start + size * width; at += width) {
    let sum = 0;
    for (let other = 0; other < count; other++) sum += (shares[other] ?? 0) * (v[at + other] ?? 0);
    out[at + token] = sum / total;
  }
}
