import { describe, expect, it } from "vitest";
import {
  type ChannelEnds,
  commonEnds,
  fittedWindow,
  gridOf,
  paintValues,
  planesOf,
  rampOf,
  shareOf,
  shareRange,
  shareStep,
  toneTable,
  type Values,
  type ValuesSource,
  valueFor,
  valuesFrom,
  valueWritten,
} from "./deepValues";
import { type PictureLook, PLAIN_LOOK, withWindow } from "./viewSettings";

const ENDS: ChannelEnds = { low: 1000, high: 5000, minimum: 200, maximum: 65_000 };
const OTHER: ChannelEnds = { low: 0, high: 10, minimum: 0, maximum: 10 };
const SOURCE: ValuesSource = {
  url: "/{channel}/{z}/{x}/{y}",
  kind: "uint16",
  levels: 1,
  channels: [ENDS, OTHER, ENDS, OTHER],
  shown: [0, 1, 2],
  inverted: false,
};

/** [red, green, blue, alpha] of each pixel. */
function painted(planes: Values[], look: PictureLook, ends = [ENDS], inverted = false): number[][] {
  const out = new Uint32Array(planes[0]?.length ?? 0);
  const ramps = ends.map((one) => rampOf(look, one, inverted));
  paintValues(planes, ramps, toneTable(look), out);
  return [...out].map((pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255, pixel >>> 24]);
}

const greys = (...args: Parameters<typeof painted>) => painted(...args).map(([red]) => red);

describe("values of more than 8 bits", () => {
  it("are shown as they were stored while the look is plain", () => {
    const values = Uint16Array.of(0, 1000, 3010, 5000, 65_535);
    expect(painted([values], PLAIN_LOOK)[2]).toEqual([128, 128, 128, 255]);
    expect(greys([values], PLAIN_LOOK)).toEqual([0, 0, 128, 255, 255]);
    expect(greys([values], PLAIN_LOOK, [ENDS], true)).toEqual([255, 255, 127, 0, 0]);
  });

  it("that fall into one step of 8 bits come apart in a narrow window, also beyond what was stored", () => {
    const values = Uint16Array.of(3000, 3007, 60_000, 60_003);
    const [one, two] = greys([values], PLAIN_LOOK);
    expect(Math.abs((one ?? 0) - (two ?? 0))).toBeLessThanOrEqual(1);
    const at = (value: number) => shareOf(value, ENDS, false);
    expect(greys([values], { ...PLAIN_LOOK, black: at(3000), white: at(3007) }).slice(0, 2)).toEqual([0, 255]);
    expect(greys([values], { ...PLAIN_LOOK, black: at(60_000), white: at(60_003) }).slice(2)).toEqual([0, 255]);
  });

  it("go through gamma and inversion like the stored picture", () => {
    const values = Uint16Array.of(2000);
    expect(greys([values], { ...PLAIN_LOOK, gamma: 2 })).toEqual([128]);
    expect(greys([values], { ...PLAIN_LOOK, invert: true })).toEqual([191]);
  });

  it("that are no number are black however they are shown; infinite ones lie at the ends", () => {
    const values = Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    expect(greys([values], PLAIN_LOOK)).toEqual([0, 0, 255]);
    expect(greys([values], { ...PLAIN_LOOK, invert: true })).toEqual([0, 255, 0]);
  });

  it("of several channels are red, green and blue, each by its own ends", () => {
    const planes = [Uint16Array.of(5000), Uint16Array.of(5), Uint16Array.of(1000)];
    expect(painted(planes, PLAIN_LOOK, [ENDS, OTHER, ENDS])).toEqual([[255, 128, 0, 255]]);
    expect(painted(planes.slice(0, 2), PLAIN_LOOK, [ENDS, OTHER])).toEqual([[255, 128, 0, 255]]);
  });

  it("are read little-endian, and not when they are cut short", () => {
    expect([...valuesFrom("int16", Uint8Array.of(0xff, 0xff, 1, 0).buffer)]).toEqual([-1, 1]);
    expect(() => valuesFrom("uint16", new ArrayBuffer(3))).toThrow(RangeError);
  });
});

describe("the window on them", () => {
  it("reaches from the smallest value to the largest, in steps of one", () => {
    const range = shareRange(SOURCE, [0]);
    expect([range.low, range.high].map((share) => valueFor(share, ENDS, false))).toEqual([200, 65_000]);
    const step = shareStep(SOURCE, [0]);
    expect(step * 4000).toBeCloseTo(1);
    const look = withWindow(PLAIN_LOOK, "black", range.high, { ...range, step });
    expect(valueFor(look.white, ENDS, false) - valueFor(look.black, ENDS, false)).toBeCloseTo(1);
    expect(valueFor(look.white, ENDS, false)).toBeCloseTo(65_000);
  });

  it("tells the same value and share there and back, also where low is white", () => {
    for (const inverted of [false, true]) {
      expect(valueFor(shareOf(1234, ENDS, inverted), ENDS, inverted)).toBeCloseTo(1234);
    }
    expect([shareOf(7, { ...OTHER, high: 0 }, false), shareStep({ ...SOURCE, kind: "float32" }, [1])]).toEqual([
      0,
      1 / 65_535,
    ]);
  });

  it("has values of its own only where the channels shown have the same ends", () => {
    expect(commonEnds(SOURCE, [0, 2])).toBe(ENDS);
    expect(commonEnds(SOURCE, [0, 1])).toBeNull();
  });

  it("fits what is in view, but for a few values at the ends", () => {
    const samples = [...Array(998).fill(3000), 3500, 65_000, Number.NaN];
    samples.splice(0, 10, ...Array(10).fill(2500));
    const fitted = fittedWindow([samples], [0], SOURCE);
    expect([fitted?.black, fitted?.white].map((share) => valueFor(share ?? 0, ENDS, false))).toEqual([2500, 3000]);
    expect(fittedWindow([[5, 5]], [0], SOURCE)).toBeNull();
    expect(fittedWindow([[]], [0], SOURCE)).toBeNull();
  });

  it("looks at points all over the view, at most so many", () => {
    const points = gridOf({ x0: 10, y0: 20, x1: 1034, y1: 24 }, 64);
    expect(points).toHaveLength(64 * 4);
    expect([points[0], points.at(-1)]).toEqual([
      { x: 10, y: 20 },
      { x: 1018, y: 23 },
    ]);
  });
});

describe("the channels that are shown", () => {
  it("are one, or those that are stored as red, green and blue", () => {
    expect(planesOf("colour", SOURCE)).toEqual([0, 1, 2]);
    expect(planesOf("blue", SOURCE)).toEqual([2]);
    expect(planesOf(3, SOURCE)).toEqual([3]);
    // Left over from another picture.
    expect(planesOf(9, SOURCE)).toEqual([0, 1, 2]);
    expect(planesOf("blue", { ...SOURCE, shown: [0] })).toEqual([0]);
  });

  it("are written with the digits they have", () => {
    expect([40_000, -3, 0.1 + 0.2, 1234.56789, Number.NaN].map(valueWritten)).toEqual([
      "40000",
      "-3",
      "0.3",
      "1234.57",
      "no value",
    ]);
  });
});
