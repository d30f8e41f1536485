import type { DecoderWeights } from "./decoderWeights";
import type { PlacedImage } from "./placedImage";
import type { Planes } from "./planes";
import type { Floats } from "./safetensors";
import type { Prompts } from "./sketching";

/** Of modelzoo/model/compact_decoder.py, which says what each is. */
const POSITION_UNIT = 256;
const CLICK_RADIUS = 6;
const FINE_STRIDE = 4;
export const COARSE_STRIDE = 16;
const LOGIT_SCALE = 4;
const NEGATIVE = 0;
const POSITIVE = 1;
export const CORNER_FIRST = 2;
const CORNER_SECOND = 3;

/** A point that counts, in input pixels. */
export interface PromptPoint {
  readonly x: number;
  readonly y: number;
  readonly label: number;
}

/** Points without those that only fill up a list. */
export function pointsOf({ coords, labels }: Prompts): PromptPoint[] {
  return Array.from(labels, (label, at) => ({ x: coords[2 * at] ?? 0, y: coords[2 * at + 1] ?? 0, label })).filter(
    ({ label }) => label >= 0,
  );
}

/** `PositionCode`: sines, then cosines, of a place's angles. */
export function positionCode(x: number, y: number, frequencies: Float32Array): Float32Array {
  const half = frequencies.length / 2;
  const code = new Float32Array(2 * half);
  for (let wave = 0; wave < half; wave++) {
    const turns = (x * (frequencies[wave] ?? 0) + y * (frequencies[half + wave] ?? 0)) / POSITION_UNIT;
    code[wave] = Math.sin(2 * Math.PI * turns);
    code[half + wave] = Math.cos(2 * Math.PI * turns);
  }
  return code;
}

/** Centre of a cell of the coarse map in input pixels. */
export const coarseCentre = (cell: number) => (cell + 0.5) * COARSE_STRIDE;

/** Bilinear samples of 1 x channels x height x width at a place, whose frame the map covers: `sample_at`. */
function sampleAt({ dims, data }: Floats, { x, y }: PromptPoint, frame: readonly [number, number]): number[] {
  const [, channels = 0, height = 0, width = 0] = dims;
  const [column, row] = [within((x * width) / frame[1] - 0.5, width), within((y * height) / frame[0] - 0.5, height)];
  const [left, top] = [Math.floor(column), Math.floor(row)];
  const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
  const [across, down] = [column - left, row - top];
  return Array.from({ length: channels }, (_, channel) => {
    const value = (line: number, at: number) => data[(channel * height + line) * width + at] ?? 0;
    const above = value(top, left) * (1 - across) + value(top, right) * across;
    const below = value(bottom, left) * (1 - across) + value(bottom, right) * across;
    return above * (1 - down) + below * down;
  });
}

const within = (at: number, length: number) => Math.min(Math.max(at, 0), length - 1);

/** Shorter vectors stay shorter than one: `F.normalize`. */
export const LEAST_LENGTH = 1e-12;

/** A vector of length one in the same direction. */
function unit(values: readonly number[]): number[] {
  const length = Math.max(Math.hypot(...values), LEAST_LENGTH);
  return values.map((value) => value / length);
}

/** `prompt_maps`: six planes. affinities: for every point, how alike the places of a plane of the image are to it. */
export function drawPrompts(
  maps: Planes,
  points: readonly PromptPoint[],
  affinities: readonly Float32Array[],
  mask: Float32Array | null,
  gain: number,
): void {
  const values = maps.values();
  const kinds = [POSITIVE, NEGATIVE] as const;
  for (const [channel, kind] of kinds.entries()) {
    const alike = affinities.filter((_, at) => points[at]?.label === kind);
    const some = points.filter(({ label }) => label === kind);
    drawNearness(values, maps, channel, some);
    drawAffinity(values, maps, 4 + channel, alike, gain);
  }
  drawBox(values, maps, points);
  drawMask(values, maps, mask);
}

/** Weights of all cells along a side: Gaussians about a place. */
function nearness(place: number, cells: number): Float32Array {
  return Float32Array.from({ length: cells }, (_, cell) => {
    const away = place - (cell + 0.5) * FINE_STRIDE;
    return Math.exp((away * away) / (-2 * CLICK_RADIUS ** 2));
  });
}

function drawNearness(values: Float32Array, maps: Planes, channel: number, points: readonly PromptPoint[]): void {
  const { height, width } = maps;
  values.fill(0, channel * maps.plane, (channel + 1) * maps.plane);
  for (const { x, y } of points) {
    const [across, down] = [nearness(x, width), nearness(y, height)];
    for (let row = 0; row < height; row++) {
      const start = maps.at(channel, row, 0);
      const factor = down[row] ?? 0;
      for (let column = 0; column < width; column++) {
        const near = factor * (across[column] as number);
        if (near > (values[start + column] as number)) values[start + column] = near;
      }
    }
  }
}

function drawAffinity(
  values: Float32Array,
  maps: Planes,
  channel: number,
  alike: readonly Float32Array[],
  gain: number,
): void {
  const plane = values.subarray(channel * maps.plane, (channel + 1) * maps.plane);
  plane.fill(0);
  for (const one of alike) {
    for (let at = 0; at < plane.length; at++) plane[at] = Math.max(plane[at] as number, one[at] as number);
  }
  for (let at = 0; at < plane.length; at++) plane[at] = gain * (plane[at] as number);
}

/** +1 inside the box, -1 outside, 0 without one. */
function drawBox(values: Float32Array, maps: Planes, points: readonly PromptPoint[]): void {
  const { height, width } = maps;
  values.fill(0, 2 * maps.plane, 3 * maps.plane);
  if (!points.some(({ label }) => label === CORNER_FIRST)) return;
  const sum = (kind: number, side: "x" | "y") =>
    points.reduce((total, point) => total + (point.label === kind ? point[side] : 0), 0);
  const inside = (side: "x" | "y", cell: number) => {
    const centre = (cell + 0.5) * FINE_STRIDE;
    return centre >= sum(CORNER_FIRST, side) && centre <= sum(CORNER_SECOND, side);
  };
  const columns = Array.from({ length: width }, (_, column) => inside("x", column));
  for (let row = 0; row < height; row++) {
    const within = inside("y", row);
    const start = maps.at(2, row, 0);
    for (let column = 0; column < width; column++) values[start + column] = within && columns[column] ? 1 : -1;
  }
}

function drawMask(values: Float32Array, maps: Planes, mask: Float32Array | null): void {
  const { height, width } = maps;
  values.fill(0, 3 * maps.plane, 4 * maps.plane);
  if (!mask) return;
  for (let row = 0; row < height; row++) {
    const start = maps.at(3, row, 0);
    for (let column = 0; column < width; column++) {
      values[start + column] = Math.tanh((mask[row * width + column] as number) / LOGIT_SCALE);
    }
  }
}

/** Features under each point of all maps of an image, one after the other; and the last ones, of length one. */
export function under(
  image: PlacedImage,
  points: readonly PromptPoint[],
): { readonly features: number[][]; readonly affinities: number[][] } {
  const features = points.map((point) => image.maps.flatMap((map) => sampleAt(map, point, image.frame)));
  return { features, affinities: features.map((all) => unit(all.slice(-image.affinityChannels))) };
}

/** Token of each point: its kind, its place, and the features under it. */
export function promptTokens(
  points: readonly PromptPoint[],
  features: readonly Float32Array[],
  weights: DecoderWeights,
): Float32Array[] {
  const [kinds, frequencies] = [weights.rows("label_embedding.weight"), weights.values("position.frequencies")];
  return points.map(({ x, y, label }, at) => {
    const code = positionCode(x, y, frequencies);
    return code.map((value, channel) => value + (kinds[label]?.[channel] ?? 0) + (features[at]?.[channel] ?? 0));
  });
}
