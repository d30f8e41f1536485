import { type Columns, columnsIn, type DecoderWeights, LANES } from "./decoderWeights";
import { Float, type KernelMemory, WORD } from "./kernelMemory";
import type { PlacedImage } from "./placedImage";
import type { Program } from "./program";
import type { TokenMaths } from "./tokenMaths";
import type { TwoWayImage } from "./twoWay";

/**
 * An image that tokens look at and that answers them, with all projections folded into the tokens: `few_queries` and
 * `few_keys` of modelzoo/model/transformer.py.
 */
export class FoldedImage implements TwoWayImage {
  /** Address of the program's `Places`. */
  private readonly places: number;
  private readonly channels: number;

  constructor(
    private readonly program: Program,
    private readonly memory: KernelMemory,
    private readonly weights: DecoderWeights,
    private readonly maths: TokenMaths,
    private readonly heads: number,
    private readonly image: PlacedImage,
  ) {
    this.channels = image.source.channels;
    this.places = memory.task([image.positions, this.channels, image.image, image.placed, image.codes]);
  }

  looked(_level: number, name: string, placed: Columns): Columns {
    const { program, memory, weights, maths, channels } = this;
    const asked = maths.linear(`${name}.q_proj`, placed);
    const rows = this.heads * asked.width;
    const [mixed, sums] = [memory.room(channels * rows), memory.room(rows)];
    const scratch = memory.room((this.image.panels + 2) * rows * LANES);
    program.gaze(this.asked(asked, `${name}.k_proj.weight`), this.places, mixed, sums, scratch);
    divide(memory.floats(mixed, channels * rows), memory.floats(sums, rows));
    const seen = columnsIn(memory, asked.rows, asked.count);
    const width = asked.rows / this.heads;
    for (let column = 0; column < rows; column += LANES) {
      const [head, token] = [Math.floor(column / asked.width), column % asked.width];
      program.multiply(
        weights.address(`${name}.v_proj.weight`) + head * width * channels * WORD,
        channels * WORD,
        width,
        channels,
        mixed + column * WORD,
        rows * WORD,
        seen.address + (head * width * asked.width + token) * WORD,
        asked.width * WORD,
        false,
      );
    }
    program.addBias(seen.address, seen.rows, seen.width, weights.address(`${name}.v_proj.bias`), false);
    return maths.linear(`${name}.out_proj`, seen);
  }

  answered(_level: number, block: string, placed: Columns, tokens: Columns): void {
    const { program, memory, weights, maths, channels } = this;
    const name = `${block}.cross_attn_image_to_token`;
    const keys = maths.linear(`${name}.k_proj`, placed);
    const values = maths.linear(`${name}.v_proj`, tokens);
    const rows = this.heads * keys.width;
    const width = keys.rows / this.heads;
    const told = memory.room(channels * rows);
    for (let column = 0; column < rows; column += LANES) {
      const [head, token] = [Math.floor(column / keys.width), column % keys.width];
      program.multiply(
        weights.address(`${name}.out_proj.weight`) + head * width * WORD,
        keys.rows * WORD,
        channels,
        width,
        values.address + (head * width * values.width + token) * WORD,
        values.width * WORD,
        told + column * WORD,
        rows * WORD,
        false,
      );
    }
    const reply = memory.task([
      told,
      weights.address(`${name}.out_proj.bias`),
      weights.address(`${block}.norm4.weight`),
      weights.address(`${block}.norm4.bias`),
      new Float(weights.number("token_epsilon")),
    ]);
    const asked = this.asked(keys, `${name}.q_proj.weight`, `${name}.q_proj.bias`);
    program.reply(asked, this.places, reply, memory.room(rows * LANES));
  }

  /** The program's `Asked`: tokens of all heads, folded with the projection of the image, and what its bias adds. */
  private asked(tokens: Columns, name: string, bias?: string): number {
    const { program, memory, weights, channels, heads } = this;
    const { count, width } = tokens;
    const inner = tokens.rows / heads;
    const turned = memory.room(width * tokens.rows);
    const folded = memory.room(heads * width * channels);
    const added = memory.room(heads * width);
    const own = bias === undefined ? new Float32Array(tokens.rows) : weights.values(bias);
    const from = this.maths.values(tokens);
    const [to, sums] = [memory.floats(turned, width * tokens.rows), memory.floats(added, heads * width)];
    const scale = 1 / Math.sqrt(inner);
    for (let row = 0; row < tokens.rows; row++) {
      const [head, channel] = [Math.floor(row / inner), row % inner];
      for (let token = 0; token < width; token++) {
        const value = scale * (from[row * width + token] ?? 0);
        const at = head * width + token;
        to[at * inner + channel] = value;
        sums[at] = (channel ? (sums[at] ?? 0) : 0) + value * (own[row] ?? 0);
      }
    }
    for (let head = 0; head < heads; head++) {
      program.product(
        turned + head * width * inner * WORD,
        inner * WORD,
        width,
        inner,
        weights.address(name) + head * inner * channels * WORD,
        channels,
        folded + head * width * channels * WORD,
        false,
      );
    }
    return memory.task([heads, count, heads * width, folded, added]);
  }
}

/** Divides every column by its sum. */
function divide(values: Float32Array, sums: Float32Array): void {
  const shares = sums.map((sum) => 1 / sum);
  const { length } = shares;
  for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) * (shares[at % length] as number);
}
