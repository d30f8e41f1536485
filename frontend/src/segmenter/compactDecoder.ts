import { CORNER_FIRST, drawPrompts, type PromptPoint, pointsOf, promptTokens, under } from "./compactPrompts";
import { type Columns, DecoderWeights, filled, LANES } from "./decoderWeights";
import { FoldedImage } from "./foldedImage";
import { KernelMemory, WORD } from "./kernelMemory";
import { type CompactEmbedding, PlacedImage } from "./placedImage";
import type { Planes } from "./planes";
import type { Program } from "./program";
import type { Floats } from "./safetensors";
import type { Prompts } from "./sketching";
import { TokenMaths } from "./tokenMaths";
import { twoWay } from "./twoWay";

interface CompactAnswer {
  /** Logits of the whole frame, 1 x masks x height x width at stride 4, row-major. */
  readonly masks: Floats;
  readonly ious: Float32Array;
}

/** From where on a program's memory is free. */
const START = 1024;
/** The program makes so many masks at once. */
const MASKS = 4;
/** Lanes in which a sum is kept, and sums of each mask beside those of its features. */
const SUM = 4;
const SUMS = 5;
/** Of modelzoo/model/compact_decoder.py: how much more a mask counts that says it is good; where a box is given. */
const SHARPNESS = 8;
const SHARPNESS_BOXED = 30;

/**
 * The default model's decoder by a program of our own (decision 22): `CompactDecoder.answer` of
 * modelzoo/model/compact_decoder.py, step by step. In its memory lie the weights, then the image that was asked last,
 * then what the last prompt made of it.
 */
export class CompactDecoder {
  private readonly memory: KernelMemory;
  private readonly weights: DecoderWeights;
  private readonly maths: TokenMaths;
  private readonly heads: number;
  private readonly depth: number;
  /** From where on the image lies, and what is made of a prompt. */
  private readonly imageStart: number;
  private promptStart = 0;
  private last: { readonly embedding: CompactEmbedding; readonly image: PlacedImage } | null = null;

  /** weights: `program_weights` of modelzoo/model/compact_weights.py. */
  constructor(
    private readonly program: Program,
    weights: ReadonlyMap<string, Floats>,
  ) {
    this.memory = new KernelMemory(program.memory, START);
    this.weights = new DecoderWeights(this.memory);
    for (const [name, tensor] of weights) this.weights.add(name, tensor, this.memory.put(tensor.data));
    this.heads = this.weights.number("heads");
    this.maths = new TokenMaths(program, this.memory, this.weights, this.heads);
    this.depth = [...weights.keys()].filter((name) => name.endsWith(".norm4.weight")).length;
    this.imageStart = this.memory.end;
  }

  answer(embedding: CompactEmbedding, prompts: Prompts): CompactAnswer {
    const image = this.place(embedding);
    this.memory.end = this.promptStart;
    const points = pointsOf(prompts);
    const begun = this.begin(image, points, prompts.mask);
    const folded = new FoldedImage(this.program, this.memory, this.weights, this.maths, this.heads, image);
    const tokens = twoWay(this.maths, this.depth, begun, folded);
    this.enlarge(image);
    const { logits, ious } = this.masks(image, tokens);
    average(logits, ious, points);
    const { height, width } = image.fineRefined;
    return { masks: { dims: [1, MASKS, height, width], data: logits }, ious };
  }

  private place(embedding: CompactEmbedding): PlacedImage {
    if (this.last?.embedding === embedding) return this.last.image;
    this.last = null; // what is placed goes over it, whether it fits or not
    this.memory.end = this.imageStart;
    const image = new PlacedImage(this.memory, this.weights, embedding);
    this.promptStart = this.memory.end;
    this.last = { embedding, image };
    return image;
  }

  /** The tokens; the image becomes what the encoder said and the prompts, drawn as maps. */
  private begin(image: PlacedImage, points: readonly PromptPoint[], mask: Float32Array | null): Columns {
    const { maths, memory, weights } = this;
    const { features, affinities } = under(image, points);
    const gain = weights.number("affinity_gain");
    drawPrompts(image.prompts, points, this.affinities(image, affinities), mask, gain);
    this.convolve("maps_to_coarse.0", 2, true, image.prompts, image.promptsHalf);
    this.convolve("maps_to_coarse.1", 2, true, image.promptsHalf, image.promptsQuarter);
    this.convolve("maps_to_coarse.2", 1, false, image.promptsQuarter, image.source, image.coarse);
    this.program.toPanels(image.source.task, image.image);
    const length = image.panels * image.source.channels * LANES;
    const [placed, plain, codes] = [image.placed, image.image, image.codes].map((at) => memory.floats(at, length));
    for (let at = 0; at < length; at++) (placed as Float32Array)[at] = (plain?.[at] ?? 0) + (codes?.[at] ?? 0);
    const seen = points.length > 0 ? maths.linear("feature_token", maths.of(features)) : null;
    const told = points.map((_, point) => maths.column(seen as Columns, point));
    return maths.of([...weights.rows("output_tokens"), ...promptTokens(points, told, weights)]);
  }

  /** For each point, how alike all places are to it: planes like those of the fine map. */
  private affinities(image: PlacedImage, points: readonly (readonly number[])[]): Float32Array[] {
    const { memory, program } = this;
    const { affinityChannels: channels, affinityWidth: width } = image;
    const rows = 4 * Math.ceil(points.length / 4);
    const asked = memory.zeros(rows * channels);
    memory.floats(asked, points.length * channels).set(points.flat());
    const made = memory.room(rows * width);
    program.product(asked, channels * WORD, rows, channels, image.alike, width, made, false);
    return points.map((_, point) => memory.floats(made + point * width * WORD, width));
  }

  /** The image, as the tokens left it, at stride 4. */
  private enlarge(image: PlacedImage): void {
    this.program.toPlanes(image.image, image.source.task);
    const { source, middle, middleMade, middleRefined, fine, fineMade, fineRefined, prompts } = image;
    this.program.enlarge(this.task("to_middle", 1, true), source.task, middle.task, middleMade.task);
    this.convolve("refine_middle.first", 1, true, middleMade, middleRefined);
    this.convolve("refine_middle.second", 1, true, middleRefined, middleMade, middleMade);
    this.program.enlarge(this.task("to_fine", 1, false), middleMade.task, fine.task, fineMade.task);
    this.convolve("maps_to_fine", 1, true, prompts, fineMade, fineMade);
    this.convolve("refine_fine", 1, true, fineMade, fineRefined);
  }

  private convolve(name: string, stride: number, positive: boolean, from: Planes, to: Planes, more?: Planes): void {
    const kernel = Math.sqrt(this.weights.side(`${name}.weight`, 1) / from.channels);
    this.program.convolve(this.task(name, stride, positive, kernel), from.task, more?.task ?? 0, to.task);
  }

  /** The program's `Convolution`. */
  private task(name: string, stride: number, positive: boolean, kernel = 1): number {
    const [outputs, inputs] = [0, 1].map((axis) => this.weights.side(`${name}.weight`, axis)) as [number, number];
    const [weight, bias] = [this.weights.address(`${name}.weight`), this.weights.address(`${name}.bias`)];
    const scratch = this.memory.room((inputs + outputs) * LANES);
    return this.memory.task([weight, bias, kernel, stride, Number(positive), scratch]);
  }

  /** The decoder's masks, and what it thinks of each. */
  private masks(image: PlacedImage, tokens: Columns): { logits: Float32Array; ious: Float32Array } {
    const { memory, program } = this;
    const { channels, height, width, task } = image.fineRefined;
    const kernels = Array.from({ length: MASKS }, (_, mask) =>
      this.mlp(`kernels.${mask}`, [this.maths.column(tokens, 1 + mask)]),
    ).map((made) => this.maths.column(made, 0));
    const logits = memory.room(MASKS * height * width);
    const [inside, rim] = [0, 1].map(() => memory.zeros(MASKS * channels * SUM)) as [number, number];
    const sums = memory.zeros(MASKS * SUMS * SUM);
    const shares = memory.zeros(filled(image.positions) * LANES);
    const made = memory.task([
      memory.put(kernels.flatMap((kernel) => [...kernel.subarray(0, channels)])),
      memory.put(kernels.map((kernel) => kernel[channels] ?? 0)),
      logits,
      inside,
      rim,
      sums,
      shares,
      memory.room((channels + MASKS) * LANES),
    ]);
    program.masks(made, task);
    const known = memory.room(image.source.channels * LANES);
    program.weighted(image.image, image.panels, image.source.channels, shares, known);
    const said = this.predictedIous(image, tokens, { inside, rim, sums, shares, known });
    return { logits: memory.floats(logits, MASKS * height * width).slice(), ious: said };
  }

  /** `predicted_iou`, from what the program summed up of each mask. */
  private predictedIous(
    image: PlacedImage,
    tokens: Columns,
    at: Record<"inside" | "rim" | "sums" | "shares" | "known", number>,
  ): Float32Array {
    const { memory, maths } = this;
    const { channels, height, width } = image.fineRefined;
    const added = (address: number, count: number) => addedUp(memory.floats(address, count * SUM));
    const [inside, rim, sums] = [
      added(at.inside, MASKS * channels),
      added(at.rim, MASKS * channels),
      added(at.sums, MASKS * SUMS),
    ];
    const lanes = memory.floats(at.sums, MASKS * SUMS * SUM);
    const shares = memory.floats(at.shares, image.positions * LANES);
    const known = memory.floats(at.known, image.source.channels * LANES);
    const looked = Array.from({ length: MASKS }, (_, mask) => {
      const [area = 0, rimArea = 0, shrunk = 0, grown = 0] = sums.subarray(mask * SUMS).map((sum) => sum + 1);
      const highest = Math.max(...lanes.subarray((mask * SUMS + 4) * SUM, (mask + 1) * SUMS * SUM));
      let share = 0.1;
      for (let position = mask; position < shares.length; position += LANES) share += shares[position] ?? 0;
      const own = Array.from({ length: image.source.channels }, (_, row) => (known[row * LANES + mask] ?? 0) / share);
      const features = (values: Float32Array, total: number) =>
        Array.from(values.subarray(mask * channels, (mask + 1) * channels), (value) => value / total);
      const shape = [Math.log(area / (height * width)), Math.log(rimArea / area), shrunk / grown, highest];
      return [...own, ...features(inside, area), ...features(rim, rimArea), ...shape];
    });
    const byToken = maths.column(this.mlp("iou_from_token", [maths.column(tokens, 0)]), 0);
    const byMask = maths.values(this.mlp("iou_from_mask", looked));
    return Float32Array.from({ length: MASKS }, (_, mask) => logistic((byToken[mask] ?? 0) + (byMask[mask] ?? 0)));
  }

  /** Two layers with a ReLU between, of each row. */
  private mlp(name: string, rows: readonly ArrayLike<number>[]): Columns {
    return this.maths.linear(`${name}.2`, this.maths.linear(`${name}.0`, this.maths.of(rows), true));
  }
}

const logistic = (value: number) => 1 / (1 + Math.exp(-value));

function addedUp(lanes: Float32Array): Float32Array {
  return Float32Array.from({ length: lanes.length / SUM }, (_, at) =>
    lanes.subarray(at * SUM, (at + 1) * SUM).reduce((sum, lane) => sum + lane, 0),
  );
}

/** `consensus`: one mask, and what is said of it, becomes what all of them say together. */
function average(logits: Float32Array, ious: Float32Array, points: readonly PromptPoint[]): void {
  const several = points.length > 1;
  const boxed = points.some(({ label }) => label === CORNER_FIRST);
  const pool = ious.map((iou, mask) => (several || mask > 0 ? iou : Number.NEGATIVE_INFINITY));
  const highest = Math.max(...pool);
  const weights = pool.map((iou) => Math.exp((boxed ? SHARPNESS_BOXED : SHARPNESS) * (iou - highest)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const replaced = several ? 0 : pool.indexOf(highest);
  const area = logits.length / MASKS;
  const maps = Array.from(
    weights,
    (weight, mask) => [weight / total, logits.subarray(mask * area, (mask + 1) * area)] as const,
  );
  const made = new Float32Array(area);
  for (const [weight, map] of maps) {
    for (let at = 0; at < area; at++) made[at] = (made[at] as number) + weight * (map[at] as number);
  }
  logits.set(made, replaced * area);
  ious[replaced] = highest;
}
