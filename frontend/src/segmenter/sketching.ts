import { type Columns, columnsIn, type DecoderWeights, filled, LANES } from "./decoderWeights";
import { Float, type KernelMemory, WORD } from "./kernelMemory";
import type { Program } from "./program";
import { embedPoints, type PointPrompts } from "./promptTokens";
import { TokenMaths } from "./tokenMaths";
import { type TwoWayImage, twoWay } from "./twoWay";

/** What is asked of an image. */
export interface Prompts extends PointPrompts {
  /** Logits of an earlier answer or a rough mask, 4 height x 4 width. */
  readonly mask: Float32Array | null;
}

/** What a prompt makes of an image: state and columns for the drawing, weights of the masks, predicted IoUs. */
export interface Sketch {
  /** Address of the program's `Image`. */
  readonly image: number;
  readonly columns: Columns;
  readonly weights: readonly Float32Array[];
  readonly ious: Float32Array;
}

/** Addresses of an image's views by name. */
export type Views = (name: string) => number;

/** Epsilon of the norms over the channels of a map (`LayerNorm2d`). */
const MAP_EPSILON = 1e-6;

/** Sizes that all prompts share. */
export interface Sizes {
  readonly shape: readonly [height: number, width: number];
  readonly positions: number;
  readonly panels: number;
  readonly channels: number;
  readonly heads: number;
  /** Channels of a head where tokens and image attend to each other. */
  readonly headWidth: number;
  /** Blocks of the transformer, and masks. */
  readonly depth: number;
  readonly masks: number;
}

/**
 * One prompt on one image, from its points to what the drawing takes: `PreparedDecoder.forward` of
 * modelzoo/model/prepared_decoder.py, which says what is computed and why. What has positions is the program's part.
 */
export class Sketching implements TwoWayImage {
  private readonly maths: TokenMaths;
  private readonly inner: number;
  /** Of every block so far: addresses of what its answer was made of. */
  private readonly everywhere: number[] = [];
  private readonly differing: number[] = [];
  private columns: Columns;
  private readonly tokens: Columns;
  /** Rows of a panel of coefficients: for all columns there will be, and what products of four rows write beyond. */
  private readonly room: number;
  private readonly image: number;

  constructor(
    private readonly program: Program,
    private readonly memory: KernelMemory,
    private readonly weights: DecoderWeights,
    private readonly sizes: Sizes,
    private readonly views: Views,
    { mask, ...points }: Prompts,
  ) {
    this.maths = new TokenMaths(program, memory, weights, sizes.heads);
    this.inner = sizes.heads * sizes.headWidth;
    const own = ["iou_token.weight", "mask_tokens.weight"].flatMap((name) => weights.rows(name));
    this.tokens = this.maths.of([...own, ...embedPoints(points, weights)]);
    const known = weights.rows("mask_columns"); // a row for each channel
    const used = mask ? weights.side("mask_columns", 1) : 1;
    this.columns = columnsIn(memory, sizes.channels, used);
    const values = this.maths.values(this.columns);
    for (const [row, all] of known.entries()) values.set(all.subarray(0, used), row * this.columns.width);
    this.room = used + this.added(sizes.depth) + LANES;
    this.image = this.begun(mask, used);
  }

  run(): Sketch {
    const x = twoWay(this.maths, this.sizes.depth, this.tokens, this);
    const weights = Array.from({ length: this.sizes.masks }, (_, mask) =>
      this.head(`output_hypernetworks_mlps.${mask}`, x, 1 + mask),
    );
    const ious = this.head("iou_prediction_head", x, 0).slice(0, this.sizes.masks);
    return { image: this.image, columns: this.columns, weights, ious };
  }

  /** What a head's layers make of one token. */
  private head(name: string, x: Columns, token: number): Float32Array {
    const { maths } = this;
    const more = (layer: number) => this.weights.has(`${name}.layers.${layer + 1}.weight`);
    let made = maths.linear(`${name}.layers.0`, maths.of([maths.column(x, token)]), more(0));
    for (let layer = 1; more(layer - 1); layer++) made = maths.linear(`${name}.layers.${layer}`, made, more(layer));
    return maths.column(made, 0);
  }

  /** An image to which nothing has been added but the mask that was given. */
  private begun(mask: Float32Array | null, used: number): number {
    const { positions, panels, shape } = this.sizes;
    const [level, coefficients] = [this.memory.zeros(panels * LANES), this.memory.zeros(panels * this.room * LANES)];
    const image = this.memory.task([positions, panels, this.room, used, 0, level, coefficients]);
    if (!mask) return image;
    const names = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias", "4.weight", "4.bias"];
    const addresses = names.map((name) => this.weights.address(`mask_downscaling.${name}`));
    const task = this.memory.task([used - 1, new Float(MAP_EPSILON), ...addresses]);
    const scratch = this.memory.room((4 * used + 16) * LANES);
    this.program.maskCodes(task, image, this.memory.put(mask), shape[1], scratch);
    return image;
  }

  /** Tokens that ask the image: the program's `Attention`. */
  private attention(asked: Columns, projected: Columns, view: number, placed: number): number {
    const { heads, headWidth } = this.sizes;
    const turned = this.memory.room(heads * asked.width * headWidth);
    const [from, to] = [this.maths.values(asked), this.memory.floats(turned, heads * asked.width * headWidth)];
    for (let row = 0; row < asked.rows; row++) {
      const [head, channel] = [Math.floor(row / headWidth), row % headWidth];
      for (let token = 0; token < asked.width; token++) {
        const value = (from[row * asked.width + token] ?? 0) / Math.sqrt(headWidth);
        to[(head * asked.width + token) * headWidth + channel] = value;
      }
    }
    const through = this.memory.room(heads * asked.width * projected.width);
    for (let head = 0; head < heads; head++) {
      this.program.product(
        turned + head * asked.width * headWidth * WORD,
        headWidth * WORD,
        asked.width,
        headWidth,
        projected.address + head * headWidth * projected.width * WORD,
        projected.width,
        through + head * asked.width * projected.width * WORD,
        false,
      );
    }
    const step = projected.width * WORD;
    const wide = filled(headWidth);
    return this.memory.task([heads, headWidth, wide, asked.count, asked.width, turned, through, step, view, placed]);
  }

  /** Attention of the tokens to the image. */
  looked(level: number, name: string, placed: Columns): Columns {
    const { maths, memory, columns } = this;
    const { heads, headWidth, panels } = this.sizes;
    const asked = maths.linear(`${name}.q_proj`, placed);
    const projected = maths.times(`${name}.k_proj.weight`, columns);
    const keys = level ? this.weights.address(`placed_keys_${level}`) : 0;
    const attention = this.attention(asked, projected, this.views(`keys_${level}`), keys);
    const rows = heads * asked.width;
    const mixed = memory.room(rows * filled(headWidth));
    const spread = memory.room(rows * columns.width);
    const scratch = memory.room((panels * rows + 3 * rows + columns.width) * LANES);
    const values = this.views(`values_${level}`);
    this.program.look(attention, this.image, values, mixed, spread, columns.width, scratch);
    const seen = this.withColumns(`${name}.v_proj.weight`, asked, mixed, spread);
    this.program.addBias(seen.address, seen.rows, seen.width, this.weights.address(`value_shift_${level}`), false);
    return maths.linear(`${name}.out_proj`, seen);
  }

  /** Values that were mixed, heads x tokens x width, and what the columns add to them, as channels x tokens. */
  private withColumns(name: string, asked: Columns, mixed: number, spread: number): Columns {
    const { maths, memory, columns } = this;
    const { heads, headWidth } = this.sizes;
    const projected = maths.times(name, columns);
    const wide = filled(headWidth);
    const seen = columnsIn(memory, this.inner, asked.count);
    const turned = memory.room(columns.width * asked.width);
    for (let head = 0; head < heads; head++) {
      turn(
        memory.floats(spread + head * asked.width * columns.width * WORD, asked.width * columns.width),
        memory.floats(turned, columns.width * asked.width),
        asked.width,
        columns.width,
      );
      turn(
        memory.floats(mixed + head * asked.width * wide * WORD, asked.width * wide),
        memory.floats(seen.address + head * headWidth * asked.width * WORD, headWidth * asked.width),
        asked.width,
        wide,
      );
      this.program.product(
        projected.address + head * headWidth * projected.width * WORD,
        projected.width * WORD,
        headWidth,
        columns.count,
        turned,
        asked.width,
        seen.address + head * headWidth * asked.width * WORD,
        true,
      );
    }
    return seen;
  }

  /** The image answers the tokens and is normalised. */
  answered(level: number, block: string, placed: Columns, x: Columns): void {
    const { maths, memory, weights } = this;
    const name = `${block}.cross_attn_image_to_token`;
    const asked = maths.linear(`${name}.k_proj`, placed);
    const projected = maths.times(`${name}.q_proj.weight`, this.columns);
    const queries = level ? weights.address(`placed_queries_${level}`) : 0;
    const attention = this.attention(asked, projected, this.views(`queries_${level}`), queries);
    const values = maths.linear(`${name}.v_proj`, x);
    this.keepValues(values);
    const masks = this.columns.count - this.added(level);
    const columns = this.withAnswers(level, `${name}.out_proj.weight`, values);
    const products = this.squared(columns);
    const levels = Array.from({ length: level + 1 }, (_, earlier) => earlier);
    const told = memory.task([
      this.sizes.channels,
      new Float(weights.number("token_epsilon")),
      masks,
      this.views(`fixed_${level}`),
      weights.side("mask_columns", 1) + level,
      weights.side("mask_columns", 1),
      this.views(`norm_${level}`),
      levels.length,
      products.address,
      products.width * WORD,
      memory.task(levels.map((earlier) => this.views(`answers_${level}_${earlier}`))),
      memory.task(this.everywhere),
      memory.task(this.differing),
    ]);
    const scratch = memory.room((this.sizes.heads * asked.width + 2 * this.room) * LANES);
    this.program.answer(attention, this.image, told, scratch);
    const gain = weights.values(`${block}.norm4.weight`);
    const all = maths.values(columns);
    for (let row = 0; row < columns.rows; row++) {
      for (let at = row * columns.width; at < (row + 1) * columns.width; at++)
        all[at] = (all[at] ?? 0) * (gain[row] ?? 0);
    }
    this.columns = columns;
  }

  /** Columns that `level` blocks have added. */
  private added(level: number): number {
    return level * (1 + this.sizes.heads * (this.tokens.count - 1));
  }

  /** The first token's values, which are added everywhere, and what the others' differ from them. */
  private keepValues(values: Columns): void {
    const { heads, headWidth } = this.sizes;
    const everywhere = this.memory.zeros(4 * this.inner);
    const differing = this.memory.zeros(heads * values.width * headWidth);
    const all = this.maths.values(values);
    const [first, others] = [
      this.memory.floats(everywhere, this.inner),
      this.memory.floats(differing, heads * values.width * headWidth),
    ];
    for (let row = 0; row < this.inner; row++) {
      const [head, channel] = [Math.floor(row / headWidth), row % headWidth];
      const own = all[row * values.width] ?? 0;
      first[row] = own;
      for (let token = 1; token < values.count; token++) {
        const difference = (all[row * values.width + token] ?? 0) - own;
        others[(head * values.width + token - 1) * headWidth + channel] = difference;
      }
    }
    this.everywhere.push(everywhere);
    this.differing.push(differing);
  }

  /** The columns so far and those of a block's answer, each without its mean. */
  private withAnswers(level: number, name: string, values: Columns): Columns {
    const { maths, memory, columns, sizes } = this;
    const { heads, headWidth, channels } = sizes;
    const made = columnsIn(memory, channels, columns.count + 1 + heads * (values.count - 1));
    const shift = this.weights.values(`answer_shift_${level}`);
    const added = columnsIn(memory, channels, values.count);
    const [all, old] = [maths.values(made), maths.values(columns)];
    for (let row = 0; row < channels; row++) {
      all.set(old.subarray(row * columns.width, row * columns.width + columns.count), row * made.width);
      all[row * made.width + columns.count] = shift[row] ?? 0;
    }
    for (let head = 0; head < heads; head++) {
      this.program.product(
        this.weights.address(name) + head * headWidth * WORD,
        this.inner * WORD,
        channels,
        headWidth,
        values.address + head * headWidth * values.width * WORD,
        values.width,
        added.address,
        false,
      );
      const own = maths.values(added);
      for (let row = 0; row < channels; row++) {
        const first = own[row * added.width] ?? 0;
        const at = row * made.width + columns.count;
        all[at] = (all[at] ?? 0) + first;
        for (let token = 1; token < values.count; token++) {
          all[at + head * (values.count - 1) + token] = (own[row * added.width + token] ?? 0) - first;
        }
      }
    }
    centre(all, made);
    return made;
  }

  /** Products of all columns with each other. */
  private squared(columns: Columns): Columns {
    const { maths, memory } = this;
    const turned = memory.room(columns.width * columns.rows);
    turn(maths.values(columns), memory.floats(turned, columns.width * columns.rows), columns.rows, columns.width);
    const made = columnsIn(memory, columns.width, columns.count);
    this.program.product(
      turned,
      columns.rows * WORD,
      columns.width,
      columns.rows,
      columns.address,
      columns.width,
      made.address,
      false,
    );
    return made;
  }
}

/** rows x columns -> columns x rows, as many columns as there is room for. */
function turn(from: Float32Array, to: Float32Array, rows: number, columns: number): void {
  const wanted = to.length / rows;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < wanted; column++) to[column * rows + row] = from[row * columns + column] ?? 0;
  }
}

/** Takes its mean from every column. */
function centre(values: Float32Array, { rows, count, width }: Columns): void {
  const means = new Float64Array(count);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < count; column++)
      means[column] = (means[column] ?? 0) + (values[row * width + column] ?? 0);
  }
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < count; column++) {
      const at = row * width + column;
      values[at] = (values[at] ?? 0) - (means[column] ?? 0) / rows;
    }
  }
}
