import { describe, expect, it } from "vitest";
import { figure, lengthTyped, pixelSizeText, unitOf } from "./units";

describe("figures of measurements", () => {
  it("show four digits, and powers of ten where zeros would hide them", () => {
    expect(figure(1234.56)).toBe("1,235");
    expect(figure(0.123456)).toBe("0.1235");
    expect(figure(0)).toBe("0");
    expect(figure(0.0000123)).toBe("1.23E-5");
    expect(figure(123456789)).toBe("1.23E8");
  });

  it("tell the size of a pixel in the unit that shows it best", () => {
    expect(pixelSizeText(6.5e-7)).toBe("0.65 µm");
    expect(pixelSizeText(0.0002)).toBe("200 µm");
    expect(pixelSizeText(0.5)).toBe("500 mm");
    expect(pixelSizeText(10)).toBe("10 m");
  });

  it("take lengths that are typed, and nothing that is none", () => {
    expect([lengthTyped("0,65"), lengthTyped(" 2.5 ")]).toEqual([0.65, 2.5]);
    for (const text of ["", "0", "-1", "wide", "1e999"]) expect(lengthTyped(text)).toBeNaN();
  });

  it("square the unit of an area", () => {
    expect(unitOf("area", "um")).toBe("µm²");
    expect(unitOf("length", "px")).toBe("px");
  });
});
