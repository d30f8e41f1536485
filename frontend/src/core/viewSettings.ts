import { clamp } from "./geometry";

/** A number: one of the channels of a picture that has own values (core/deepValues.ts), from 0. */
export type Channel = "colour" | "red" | "green" | "blue" | "grey" | number;

/** How the picture is shown. It changes what people see, never what is saved or what the model gets. */
export interface PictureLook {
  /** 0 .. 1 of the stored picture, beyond it in a picture's own values: what is shown as black, and all below it. */
  readonly black: number;
  /** Likewise, over `black`: what is shown as white, and everything above it. */
  readonly white: number;
  /** -1 .. 1, added. */
  readonly brightness: number;
  /** 0 .. 4, multiplied round middle grey; 1 leaves it. */
  readonly contrast: number;
  /** 0.2 .. 5; over 1 lifts the shadows. */
  readonly gamma: number;
  readonly invert: boolean;
  readonly channel: Channel;
}

export interface ViewSettings {
  readonly look: PictureLook;
  /** Image pixels between grid lines; 0: none. */
  readonly grid: number;
  readonly minimap: boolean;
  /** Length of an image pixel, in `unit`; null: distances are told in pixels. */
  readonly pixelSize: number | null;
  readonly unit: string;
  /** Say a word when a mask takes longer than half a minute. */
  readonly nudge: boolean;
}

export const PLAIN_LOOK: PictureLook = {
  black: 0,
  white: 1,
  brightness: 0,
  contrast: 1,
  gamma: 1,
  invert: false,
  channel: "colour",
};

export const DEFAULT_VIEW: ViewSettings = {
  look: PLAIN_LOOK,
  grid: 0,
  minimap: false,
  pixelSize: null,
  unit: "µm",
  nudge: true,
};

const PLAIN = Object.entries(PLAIN_LOOK) as [keyof PictureLook, unknown][];

export const isPlain = (look: PictureLook): boolean => PLAIN.every(([part, plain]) => look[part] === plain);

/** Number of values in a transfer table: one for each that a pixel of the shown picture can have. */
const STEPS = 256;
/** Black and white are at least one such value apart. */
export const NARROWEST = 1 / (STEPS - 1);

/** Where black and white may lie, and how far apart they are at least. */
export interface WindowLimits {
  readonly low: number;
  readonly high: number;
  readonly step: number;
}

export const STORED_LIMITS: WindowLimits = { low: 0, high: 1, step: NARROWEST };

/** The look with another black or white; the other end gives way where they would meet. */
export function withWindow(
  look: PictureLook,
  end: "black" | "white",
  at: number,
  { low, high, step }: WindowLimits = STORED_LIMITS,
): PictureLook {
  return end === "black"
    ? {
        ...look,
        black: clamp(at, low, high - step),
        white: clamp(look.white, clamp(at, low, high - step) + step, high),
      }
    : {
        ...look,
        white: clamp(at, low + step, high),
        black: clamp(look.black, low, clamp(at, low + step, high) - step),
      };
}

/** Which values of a deep picture became black and white when it was stored (annotation.ingest.depth). */
export interface StoredRange {
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly inverted: boolean;
}

/**
 * What the picture's own value is where the stored picture has this share of white. Where its channels were stored by
 * different ranges, and for a picture of 8 bits (null), the stored value itself, 0 to 255.
 */
export function valueAt(share: number, range: StoredRange | null): number {
  const [low = 0, high = 255] = range ? [range.low[0], range.high[0]] : [];
  const same = range?.low.every((one) => one === low) && range.high.every((one) => one === high);
  if (!range || !same) return share * 255;
  return low + (range.inverted ? 1 - share : share) * (high - low);
}

/** `valueAt` as people read it. */
export function valueText(share: number, range: StoredRange | null): string {
  const value = valueAt(share, range);
  return String(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

/**
 * What a look makes of a value that lies this share of the way from black to white, 0..1: first gamma, then contrast
 * round one half, then brightness, then inversion.
 */
export function toneOf(look: PictureLook, share: number): number {
  const lifted = clamp(share, 0, 1) ** (1 / look.gamma);
  const value = clamp((lifted - 0.5) * look.contrast + 0.5 + look.brightness, 0, 1);
  return look.invert ? 1 - value : value;
}

/** The look as a table for the stored picture: the value at i stands for an input of i / (n - 1), all in 0..1. */
export function transferTable(look: PictureLook): number[] {
  const tone = (at: number) => toneOf(look, (at / (STEPS - 1) - look.black) / (look.white - look.black));
  return Array.from({ length: STEPS }, (_, at) => Math.round(tone(at) * 10_000) / 10_000);
}

const CHANNELS: Record<Exclude<Channel, "colour" | number>, readonly [number, number, number]> = {
  red: [1, 0, 0],
  green: [0, 1, 0],
  blue: [0, 0, 1],
  // Luma of sRGB values, Rec. 709.
  grey: [0.2126, 0.7152, 0.0722],
};

/** 4 x 5 matrix of a colour transform that shows one channel as grey; null where nothing is to be mixed. */
export function channelMatrix(channel: Channel): readonly number[] | null {
  if (channel === "colour" || typeof channel === "number") return null;
  const row = [...CHANNELS[channel], 0, 0];
  return [...row, ...row, ...row, 0, 0, 0, 1, 0];
}

/** A distance of so many image pixels, as people write it. */
export function distanceText(pixels: number, settings: Pick<ViewSettings, "pixelSize" | "unit">): string {
  if (settings.pixelSize === null) return `${pixels < 10 ? pixels.toFixed(1) : Math.round(pixels)} px`;
  return `${(pixels * settings.pixelSize).toPrecision(3)} ${settings.unit}`;
}

/** Length for a scale bar: the largest of 1, 2, 5 x 10^n (in image pixels or units) that fits `room` CSS pixels. */
export function scaleBar(
  scale: number,
  room: number,
  settings: Pick<ViewSettings, "pixelSize" | "unit">,
): { readonly width: number; readonly text: string } {
  const unit = settings.pixelSize ?? 1;
  const most = (room / scale) * unit;
  const power = 10 ** Math.floor(Math.log10(most));
  const value = [5, 2, 1].map((step) => step * power).find((one) => one <= most) ?? power;
  const name = settings.pixelSize === null ? "px" : settings.unit;
  return { width: (value / unit) * scale, text: `${Number(value.toPrecision(3))} ${name}` };
}

/** Stored settings as they may be used: what is missing or damaged falls back to the default. */
export function readSettings(stored: unknown): ViewSettings {
  const given = (typeof stored === "object" && stored !== null ? stored : {}) as Partial<ViewSettings>;
  const same = <T>(value: unknown, standard: T): T => (typeof value === typeof standard ? (value as T) : standard);
  return {
    // The look belongs to a picture series, not to a person: every page load begins plain.
    look: PLAIN_LOOK,
    grid: clamp(same(given.grid, 0), 0, 10_000),
    minimap: same(given.minimap, DEFAULT_VIEW.minimap),
    pixelSize: typeof given.pixelSize === "number" && given.pixelSize > 0 ? given.pixelSize : null,
    unit: same(given.unit, DEFAULT_VIEW.unit).slice(0, 12),
    nudge: same(given.nudge, DEFAULT_VIEW.nudge),
  };
}
