import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../vite.kernel";
import { CompactDecoder } from "./compactDecoder";
import { startProgram } from "./program";
import { type Floats, readSafetensors } from "./safetensors";

const file = readFileSync(new URL("../../../tests/golden/compact_decoder.safetensors", import.meta.url));
const golden = readSafetensors(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer);

function tensor(name: string): Floats {
  const found = golden.get(name);
  if (!found) throw new Error(name);
  return found;
}

const embedding = { coarse: tensor("map.coarse"), middle: tensor("map.middle"), fine: tensor("map.fine") };

/** Another picture, of another shape, on which there is nothing. */
const blank = {
  coarse: { dims: [1, 32, 1, 2], data: new Float32Array(64) },
  middle: { dims: [1, 8, 2, 4], data: new Float32Array(64) },
  fine: { dims: [1, 13, 4, 8], data: new Float32Array(13 * 32) },
};

const WITH_MASK = ["fed", "box and clicks", "mask alone"];
const CASES = ["click", "fed", "box", "box and clicks", "many", "mask alone"];

function prompts(name: string) {
  const mask = WITH_MASK.includes(name) ? tensor("mask_input").data : null;
  return { coords: tensor(`${name}.coords`).data, labels: tensor(`${name}.labels`).data, mask };
}

describe("the default model's decoder by the program of our own", () => {
  let build: Uint8Array<ArrayBuffer>;
  const decoder = async () => new CompactDecoder(await startProgram([build]), golden);

  beforeAll(async () => {
    build = await buildProgram("plain");
  }, 60_000);

  it.each(CASES)("answers as torch does: %s", async (name) => {
    const { masks, ious } = (await decoder()).answer(embedding, prompts(name));
    const expected = tensor(`${name}.low_res_masks`);
    expect(masks.dims).toEqual(expected.dims);
    const worst = masks.data.reduce((most, value, at) => Math.max(most, Math.abs(value - (expected.data[at] ?? 0))), 0);
    expect(worst).toBeLessThan(5e-4);
    for (const [at, iou] of tensor(`${name}.iou_predictions`).data.entries()) expect(ious[at]).toBeCloseTo(iou, 4);
  });

  it("answers the same whatever was asked before, on this image or another", async () => {
    const one = await decoder();
    const first = one.answer(embedding, prompts("fed"));
    for (const name of CASES) one.answer(embedding, prompts(name));
    one.answer(blank, prompts("many"));
    expect(one.answer(embedding, prompts("fed"))).toEqual(first);
  });

  it.each([
    [3, 8],
    [8, 3],
    [1, 1],
    [5, 9],
    [12, 12],
  ])("answers the same the first time, when its memory grows, on %i x %i positions", async (height, width) => {
    const filled = (dims: number[]) => {
      const length = dims.reduce((product, side) => product * side, 1);
      return { dims, data: Float32Array.from({ length }, (_, at) => Math.sin(at)) };
    };
    const picture = {
      coarse: filled([1, 32, height, width]),
      middle: filled([1, 8, 2 * height, 2 * width]),
      fine: filled([1, 13, 4 * height, 4 * width]),
    };
    for (const name of ["click", "box", "many"]) {
      const one = await decoder();
      const first = one.answer(picture, prompts(name));
      expect(one.answer(picture, prompts(name))).toEqual(first);
    }
  });

  it.each([
    ["coarse", [1, 31, 3, 5]],
    ["middle", [1, 8, 3, 5]],
    ["fine", [1, 8, 12, 20]],
    ["fine", [1, 13, 6, 10]],
  ])("takes no %s map of shape %j, and goes on with the image before", async (name, dims) => {
    const one = await decoder();
    const before = one.answer(embedding, prompts("click"));
    const data = new Float32Array(dims.reduce((product, side) => product * side, 1));
    const odd = { ...embedding, [name]: { dims, data } };
    expect(() => one.answer(odd, prompts("click"))).toThrow("not of this decoder's model");
    expect(one.answer(embedding, prompts("click"))).toEqual(before);
  });

  it("answers on the narrowest picture", async () => {
    const { masks, ious } = (await decoder()).answer(blank, prompts("click"));
    expect(masks.dims).toEqual([1, 4, 4, 8]);
    expect([...masks.data, ...ious].every(Number.isFinite)).toBe(true);
  });
});
