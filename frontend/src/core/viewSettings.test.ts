import { describe, expect, it } from "vitest";
import {
  channelMatrix,
  DEFAULT_VIEW,
  distanceText,
  PLAIN_LOOK,
  readSettings,
  scaleBar,
  transferTable,
  valueAt,
  valueText,
  withWindow,
} from "./viewSettings";

describe("the look of the picture", () => {
  it("is the identity when plain, and its mirror when inverted", () => {
    const plain = transferTable(PLAIN_LOOK);
    expect([plain[0], plain.at(-1)]).toEqual([0, 1]);
    for (const [at, value] of plain.entries()) expect(value).toBeCloseTo(at / 255, 3);
    expect(transferTable({ ...PLAIN_LOOK, invert: true })).toEqual(plain.map((v) => Math.round((1 - v) * 1e4) / 1e4));
  });

  it("lifts shadows with gamma, spreads round the middle with contrast, and never leaves 0..1", () => {
    const at = (table: number[], share: number) => table[Math.round(share * 255)] ?? -1;
    expect(at(transferTable({ ...PLAIN_LOOK, gamma: 2 }), 0.25)).toBeGreaterThan(0.45);
    const strong = transferTable({ ...PLAIN_LOOK, contrast: 4, brightness: 0.2 });
    expect(Math.min(...strong)).toBe(0);
    expect(Math.max(...strong)).toBe(1);
    expect(at(strong, 0.5)).toBeCloseTo(0.7, 1);
  });

  it("spreads the values between black and white over everything, and tells their ends in the picture's own values", () => {
    const look = withWindow(withWindow(PLAIN_LOOK, "black", 0.2), "white", 0.4);
    const table = transferTable(look);
    expect([table[51], table[76], table[102], table[200]]).toEqual([0, expect.closeTo(0.49, 2), 1, 1]);
    const range = { low: [-1000], high: [3000], inverted: false };
    expect([valueAt(look.black, range), valueAt(look.white, range)]).toEqual([-200, expect.closeTo(600)]);
    expect(valueAt(0.2, { ...range, inverted: true })).toBeCloseTo(2200);
    expect([valueText(look.white, range), valueText(0.5, { ...range, low: [0], high: [1] })]).toEqual(["600", "0.5"]);
    expect([valueAt(1, null), valueAt(0.2, { low: [0, 5], high: [9, 9], inverted: false })]).toEqual([255, 51]);
  });

  it("keeps black below white, whichever is moved", () => {
    for (const at of [0, 0.3, 0.9, 1]) {
      for (const end of ["black", "white"] as const) {
        const { black, white } = withWindow({ ...PLAIN_LOOK, black: 0.4, white: 0.5 }, end, at);
        expect(white - black).toBeGreaterThan(0.0039);
        expect(Math.min(black, 1 - white)).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it("shows one channel in all three", () => {
    expect(channelMatrix("colour")).toBeNull();
    const green = channelMatrix("green") ?? [];
    expect([green[1], green[6], green[11]]).toEqual([1, 1, 1]);
    const grey = channelMatrix("grey") ?? [];
    expect((grey[0] ?? 0) + (grey[1] ?? 0) + (grey[2] ?? 0)).toBeCloseTo(1);
  });
});

describe("lengths", () => {
  const units = { pixelSize: 0.25, unit: "µm" };
  it("are told in pixels, or in the unit that was stated", () => {
    expect(distanceText(4.25, DEFAULT_VIEW)).toBe("4.3 px");
    expect(distanceText(120.4, DEFAULT_VIEW)).toBe("120 px");
    expect(distanceText(100, units)).toBe("25.0 µm");
  });

  it("get a bar of a round length that fits", () => {
    expect(scaleBar(1, 120, DEFAULT_VIEW)).toEqual({ width: 100, text: "100 px" });
    expect(scaleBar(0.3, 120, DEFAULT_VIEW)).toEqual({ width: 60, text: "200 px" });
    expect(scaleBar(2, 120, units)).toEqual({ width: 80, text: "10 µm" });
  });
});

it("stored settings that are damaged fall back to the defaults", () => {
  expect(readSettings(null)).toEqual(DEFAULT_VIEW);
  expect(readSettings({ grid: "x", unit: 5, pixelSize: -1, minimap: 1, look: { gamma: 0 } })).toEqual(DEFAULT_VIEW);
  expect(readSettings({ grid: 50, minimap: true, pixelSize: 2, unit: "mm" })).toMatchObject({
    grid: 50,
    minimap: true,
  });
});
