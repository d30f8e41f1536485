import { describe, expect, it } from "vitest";
import { clickedPart } from "./clickedPart";

const WIDTH = 8;

/** '#' and '+' are inside (2 and 1), everything else is outside (-3). */
function logitsOf(...rows: string[]): Float32Array {
  return Float32Array.from(rows.join(""), (cell) => ({ "#": 2, "+": 1 })[cell] ?? -3);
}

function shown(logits: Float32Array): string[] {
  const cells = Array.from(logits, (logit) => (logit > 0 ? "#" : ".")).join("");
  return cells.match(new RegExp(`.{${WIDTH}}`, "g")) ?? [];
}

describe("the clicked part of a mask", () => {
  const logits = logitsOf("##...+..", "##....+.", "..#....+", "........", "#......#");

  it("is what hangs together with the click, by sides or corners", () => {
    expect(shown(clickedPart(logits, WIDTH, 5, 0.5, 0.5))).toEqual([
      "##......",
      "##......",
      "..#.....",
      "........",
      "........",
    ]);
    expect(shown(clickedPart(logits, WIDTH, 5, 6.9, 1.2))).toEqual([
      ".....#..",
      "......#.",
      ".......#",
      "........",
      "........",
    ]);
  });

  it("does not reach around the picture's sides", () => {
    expect(shown(clickedPart(logits, WIDTH, 5, 0, 4)).at(-1)).toBe("#.......");
    expect(shown(clickedPart(logits, WIDTH, 5, 8, 5)).at(-1)).toBe(".......#");
  });

  it("keeps the size of every number and leaves the input alone", () => {
    const before = logits.slice();
    const kept = clickedPart(logits, WIDTH, 5, 0.5, 0.5);
    expect(kept.map(Math.abs)).toEqual(logits.map(Math.abs));
    expect(logits).toEqual(before);
  });

  it("is the whole mask where the click lies outside", () => {
    expect(clickedPart(logits, WIDTH, 5, 3.5, 3.5)).toEqual(logits);
  });
});
