/** A linear scale with round ticks, from data to the pixels of a chart. */
export interface Scale {
  readonly ticks: readonly number[];
  readonly top: number;
  at(value: number): number;
}

const STEPS = [1, 2, 2.5, 5, 10];

/** From 0 to a round number above `highest`, over `length` pixels; 0 is at `length`, for y grows downwards. */
export function scaleFromZero(highest: number, length: number, wanted = 4): Scale {
  const rough = Math.max(highest, 1e-9) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => one * power >= rough) ?? 10) * power;
  const top = Math.ceil(Math.max(highest, 1e-9) / step) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  return { ticks, top, at: (value) => length - (value / top) * length };
}

/** Every so many of `count` labels, so that at most `most` are shown. */
export const everySo = (count: number, most: number): number => Math.max(1, Math.ceil(count / most));
