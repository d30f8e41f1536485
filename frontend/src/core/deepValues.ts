import type { Box, ImagePoint } from "./geometry";
import { type Channel, type PictureLook, toneOf } from "./viewSettings";

/** Values of one channel, row after row, as they are in the file. */
export type Values = Uint8Array | Uint16Array | Int16Array | Float32Array;

/** A channel in its own values: which are black and white in the stored picture, and the ends of all. */
export interface ChannelEnds {
  readonly low: number;
  readonly high: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** What is known of a deep picture's values. */
export interface ValuesSource {
  /** Address of a tile, with {channel}, {z}, {x} and {y}. */
  readonly url: string;
  readonly kind: "uint8" | "uint16" | "int16" | "float32";
  readonly levels: number;
  readonly channels: readonly ChannelEnds[];
  /** Channels that are red, green and blue; one alone is grey. */
  readonly shown: readonly number[];
  readonly inverted: boolean;
}

const KINDS = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array, float32: Float32Array };

/** The bytes of a tile as values. Throws RangeError where they are cut short. */
export const valuesFrom = (kind: ValuesSource["kind"], bytes: ArrayBuffer): Values => new KINDS[kind](bytes);

/** The channels that a look shows: one, or up to three as red, green and blue. */
export function planesOf(channel: Channel, { shown, channels }: ValuesSource): readonly number[] {
  if (typeof channel === "number") return channel < channels.length ? [channel] : shown;
  const place = ["red", "green", "blue"].indexOf(channel);
  const one = shown[place];
  return place < 0 || one === undefined ? shown : [one];
}

/** The ends that `planes` have in common; null where they differ. */
export function commonEnds(source: ValuesSource, planes: readonly number[]): ChannelEnds | null {
  const [first, ...rest] = planes.map((plane) => source.channels[plane]);
  return first && rest.every((one) => one?.low === first.low && one.high === first.high) ? first : null;
}

/** A value as a share of the way from black (0) to white (1) of the stored picture; may lie outside. */
export function shareOf(value: number, { low, high }: ChannelEnds, inverted: boolean): number {
  const share = high > low ? (value - low) / (high - low) : 0;
  return inverted ? 1 - share : share;
}

/** The value at a share: the inverse of `shareOf`. */
export function valueFor(share: number, { low, high }: ChannelEnds, inverted: boolean): number {
  return low + (inverted ? 1 - share : share) * (high - low);
}

/** Shares of all values of these channels, from the smallest to the largest; the stored ends are always inside. */
export function shareRange(source: ValuesSource, planes: readonly number[]): { low: number; high: number } {
  const shares = planes.flatMap((plane) => {
    const ends = source.channels[plane];
    return ends ? [ends.minimum, ends.maximum].map((value) => shareOf(value, ends, source.inverted)) : [];
  });
  return { low: Math.min(0, ...shares), high: Math.max(1, ...shares) };
}

/** The smallest difference of shares that changes the picture: one whole value, or a 65 535th of the range. */
export function shareStep(source: ValuesSource, planes: readonly number[]): number {
  const { low, high } = shareRange(source, planes);
  const finest = (high - low) / 65_535;
  if (source.kind === "float32") return finest;
  const widest = Math.max(...planes.map((plane) => span(source.channels[plane])));
  return widest > 0 ? 1 / widest : finest;
}

const span = (ends: ChannelEnds | undefined) => (ends ? ends.high - ends.low : 0);

const STEPS = 4096;
/** Index of the table's last entry, for what is no number: black, as in the stored picture. */
const NO_NUMBER = STEPS;

/** Greys by share of the way from black to white of a look, 0 to 255, and that of what is no number. */
export function toneTable(look: PictureLook): Uint8Array {
  return Uint8Array.from({ length: STEPS + 1 }, (_, at) =>
    at === NO_NUMBER ? 0 : Math.round(255 * toneOf(look, at / (STEPS - 1))),
  );
}

/** Index into a tone table of value v: slope * v + offset, cut to its ends. */
export interface Ramp {
  readonly slope: number;
  readonly offset: number;
}

export function rampOf(look: PictureLook, ends: ChannelEnds, inverted: boolean): Ramp {
  const width = look.white - look.black;
  const at = (value: number) => ((shareOf(value, ends, inverted) - look.black) / width) * (STEPS - 1) + 0.5;
  const slope = ends.high > ends.low ? (at(ends.high) - at(ends.low)) / (ends.high - ends.low) : 0;
  return { slope, offset: at(ends.low) - slope * ends.low };
}

/**
 * Paints values as RGBA, one 32-bit number per pixel (little-endian): one plane as grey, two as red and green, three as
 * red, green and blue.
 */
export function paintValues(
  planes: readonly Values[],
  ramps: readonly Ramp[],
  tones: Uint8Array,
  out: Uint32Array,
): void {
  out.fill(0xff000000);
  for (const [place, values] of planes.entries()) {
    const { slope, offset } = ramps[place] ?? { slope: 0, offset: 0 };
    const spread = planes.length === 1 ? 0x010101 : 1 << (8 * place);
    for (let i = 0; i < out.length; i++) {
      const at = slope * (values[i] as number) + offset;
      // Whatever is compared with NaN is false.
      const index = at < STEPS ? (at > 0 ? at | 0 : 0) : at >= STEPS ? STEPS - 1 : NO_NUMBER;
      out[i] = (out[i] as number) | ((tones[index] as number) * spread);
    }
  }
}

/** Points on a grid of at most so many a side, in a box. */
export function gridOf(box: Box, side = 128): ImagePoint[] {
  const step = (from: number, to: number) => Math.max(1, (to - from) / side);
  const points: ImagePoint[] = [];
  for (let y = box.y0; y < box.y1; y += step(box.y0, box.y1))
    for (let x = box.x0; x < box.x1; x += step(box.x0, box.x1)) points.push({ x, y } as ImagePoint);
  return points;
}

/** Share of values that may be cut off at either end by `fittedWindow`. */
const CUT = 0.002;

/**
 * Black and white that spread these values over everything; null where they are all alike. `samples` has, for each of
 * `planes`, some values.
 */
export function fittedWindow(
  samples: readonly (readonly number[])[],
  planes: readonly number[],
  source: ValuesSource,
): Pick<PictureLook, "black" | "white"> | null {
  const ends = planes.flatMap((plane, place) => {
    const channel = source.channels[plane];
    const sorted = (samples[place] ?? []).filter(Number.isFinite).toSorted((a, b) => a - b);
    if (!channel || sorted.length === 0) return [];
    const cut = Math.floor(sorted.length * CUT);
    return [sorted[cut], sorted[sorted.length - 1 - cut]].map((value) => shareOf(value ?? 0, channel, source.inverted));
  });
  const [black, white] = [Math.min(...ends), Math.max(...ends)];
  return white > black ? { black, white } : null;
}

/** A value as people read it: whole numbers as they are, others with six digits. */
export function valueWritten(value: number): string {
  return Number.isNaN(value) ? "no value" : String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
}
