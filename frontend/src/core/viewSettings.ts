import { clamp } from "./geometry";

export type Channel = "colour" | "red" | "green" | "blue" | "grey";

/** How the picture is shown. It changes what people see, never what is saved or what the model gets. */
export interface PictureLook {
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

export const PLAIN_LOOK: PictureLook = { brightness: 0, contrast: 1, gamma: 1, invert: false, channel: "colour" };

export const DEFAULT_VIEW: ViewSettings = {
  look: PLAIN_LOOK,
  grid: 0,
  minimap: false,
  pixelSize: null,
  unit: "µm",
  nudge: true,
};

export const isPlain = (look: PictureLook): boolean =>
  look.brightness === 0 && look.contrast === 1 && look.gamma === 1 && !look.invert && look.channel === "colour";

/** Number of values in a transfer table. */
const STEPS = 64;

/**
 * The look as a table: the value at i stands for an input of i / (n - 1), all in 0..1. First gamma, then contrast
 * round one half, then brightness, then inversion.
 */
export function transferTable(look: PictureLook): number[] {
  return Array.from({ length: STEPS }, (_, at) => {
    const lifted = (at / (STEPS - 1)) ** (1 / look.gamma);
    const value = clamp((lifted - 0.5) * look.contrast + 0.5 + look.brightness, 0, 1);
    return Math.round((look.invert ? 1 - value : value) * 10_000) / 10_000;
  });
}

const CHANNELS: Record<Exclude<Channel, "colour">, readonly [number, number, number]> = {
  red: [1, 0, 0],
  green: [0, 1, 0],
  blue: [0, 0, 1],
  // Luma of sRGB values, Rec. 709.
  grey: [0.2126, 0.7152, 0.0722],
};

/** 4 x 5 matrix of a colour transform that shows one channel as grey; null where nothing is to be mixed. */
export function channelMatrix(channel: Channel): readonly number[] | null {
  if (channel === "colour") return null;
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
