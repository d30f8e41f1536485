import { COARSE_STRIDE, coarseCentre, LEAST_LENGTH, positionCode } from "./compactPrompts";
import { type DecoderWeights, filled, LANES } from "./decoderWeights";
import type { KernelMemory } from "./kernelMemory";
import { Planes } from "./planes";
import type { Floats } from "./safetensors";

/** What the default model's encoder says of a picture, at strides 16, 8 and 4, each 1 x channels x height x width. */
export interface CompactEmbedding {
  readonly coarse: Floats;
  readonly middle: Floats;
  readonly fine: Floats;
}

/** An image in the program's memory, with room for all that a prompt makes of it. */
export class PlacedImage {
  readonly maps: readonly [Floats, Floats, Floats];
  /** Height and width of the padded frame in input pixels. */
  readonly frame: readonly [number, number];
  readonly positions: number;
  readonly panels: number;
  readonly coarse: Planes;
  readonly middle: Planes;
  readonly fine: Planes;
  /** Last channels of the fine map, of length one at every place: `affinityChannels` x `affinityWidth`. */
  readonly alike: number;
  readonly affinityChannels: number;
  /** Places of a plane of the fine map, filled up to whole panels. */
  readonly affinityWidth: number;
  /** Codes of all positions, as panels. */
  readonly codes: number;
  /** The image as the tokens change it, plain and with the codes added, as panels. */
  readonly image: number;
  readonly placed: number;

  // Maps on the way, made anew by every prompt.
  readonly prompts: Planes;
  readonly promptsHalf: Planes;
  readonly promptsQuarter: Planes;
  readonly source: Planes;
  readonly middleMade: Planes;
  readonly middleRefined: Planes;
  readonly fineMade: Planes;
  readonly fineRefined: Planes;

  constructor(memory: KernelMemory, weights: DecoderWeights, { coarse, middle, fine }: CompactEmbedding) {
    this.maps = [coarse, middle, fine];
    check(weights, this.maps);
    const [, channels = 0, height = 0, width = 0] = coarse.dims;
    this.frame = [COARSE_STRIDE * height, COARSE_STRIDE * width];
    this.positions = height * width;
    this.panels = Math.ceil(this.positions / LANES);
    const fineChannels = weights.side("to_fine.bias", 0);
    this.affinityChannels = (fine.dims[1] ?? 0) - fineChannels;
    this.coarse = Planes.of(memory, coarse, channels);
    this.middle = Planes.of(memory, middle, middle.dims[1] ?? 0);
    this.fine = Planes.of(memory, fine, fineChannels);
    this.affinityWidth = filled(this.fine.plane);
    this.alike = memory.zeros(this.affinityChannels * this.affinityWidth);
    this.normaliseAffinity(memory.floats(this.alike, this.affinityChannels * this.affinityWidth), fine, fineChannels);
    const all = this.panels * channels * LANES;
    this.codes = memory.put(positionCodes(this.panels, width, weights.values("position.frequencies")));
    this.image = memory.room(all);
    this.placed = memory.room(all);
    const maps = (name: string, scale: number) =>
      new Planes(memory, weights.side(`${name}.bias`, 0), scale * height, scale * width);
    this.prompts = new Planes(memory, 6, 4 * height, 4 * width);
    this.promptsHalf = maps("maps_to_coarse.0", 2);
    this.promptsQuarter = maps("maps_to_coarse.1", 1);
    this.source = maps("maps_to_coarse.2", 1);
    this.middleMade = maps("to_middle", 2);
    this.middleRefined = maps("refine_middle.first", 2);
    this.fineMade = maps("to_fine", 4);
    this.fineRefined = maps("refine_fine", 4);
  }

  private normaliseAffinity(to: Float32Array, { dims, data }: Floats, first: number): void {
    const [, channels = 0, height = 0, width = 0] = dims;
    const area = height * width;
    const squares = new Float32Array(area);
    for (let at = first * area; at < channels * area; at++) {
      squares[at % area] = (squares[at % area] as number) + (data[at] as number) ** 2;
    }
    const shares = squares.map((square) => 1 / Math.max(Math.sqrt(square), LEAST_LENGTH));
    for (let at = first * area; at < channels * area; at++) {
      const place = at % area;
      const out = this.fine.at(0, Math.floor(place / width), place % width);
      const channel = Math.floor(at / area) - first;
      to[channel * this.affinityWidth + out] = (data[at] as number) * (shares[place] as number);
    }
  }
}

/** TypeError for maps that are not those of this decoder's encoder. */
function check(weights: DecoderWeights, maps: readonly Floats[]): void {
  const [coarse, middle] = ["maps_to_coarse.2.bias", "to_middle.bias"].map((name) => weights.side(name, 0));
  const channels = [coarse, middle, weights.side("feature_token.weight", 1) - (coarse ?? 0) - (middle ?? 0)];
  const [, , height = 0, width = 0] = maps[0]?.dims ?? [];
  for (const [at, { dims, data }] of maps.entries()) {
    const expected = [1, channels[at] ?? 0, height * 2 ** at, width * 2 ** at];
    const length = expected.reduce((product, side) => product * side, 1);
    if (length === 0 || dims.join() !== expected.join() || data.length !== length)
      throw new TypeError("The stored embedding is not of this decoder's model.");
  }
}

/** The code of every position, counted row by row, as panels; beyond the last one as if they went on. */
function positionCodes(panels: number, width: number, frequencies: Float32Array): Float32Array {
  const channels = frequencies.length;
  const codes = new Float32Array(panels * channels * LANES);
  for (let position = 0; position < panels * LANES; position++) {
    const start = Math.floor(position / LANES) * channels * LANES + (position % LANES);
    const code = positionCode(coarseCentre(position % width), coarseCentre(Math.floor(position / width)), frequencies);
    for (const [channel, value] of code.entries()) codes[start + channel * LANES] = value;
  }
  return codes;
}
