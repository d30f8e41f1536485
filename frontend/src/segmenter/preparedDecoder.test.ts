import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../vite.kernel";
import { PreparedDecoder } from "./preparedDecoder";
import { startProgram, type Window } from "./program";
import { type Floats, readSafetensors } from "./safetensors";

const file = readFileSync(new URL("../../../tests/golden/prepared_decoder.safetensors", import.meta.url));
const golden = readSafetensors(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer);
const SHAPE = [3, 5] as const;
const WHOLE: Window = [0, 3, 0, 5];

function tensor(name: string): Floats {
  const found = golden.get(name);
  if (!found) throw new Error(name);
  return found;
}

const views = { look: (name: string) => tensor(`view.${name}`) };

/** Views of an image on which there is nothing. */
function blankView(name: string): Floats {
  const { dims, data } = tensor(`view.${name}`);
  return { dims, data: new Float32Array(data.length) };
}

function prompts(name: string) {
  const mask = name === "click" ? null : tensor("mask_input").data;
  return { coords: tensor(`${name}.coords`).data, labels: tensor(`${name}.labels`).data, mask };
}

function blank(): Floats {
  const { dims } = tensor("click.low_res_masks");
  return { dims, data: new Float32Array(dims.reduce((product, side) => product * side, 1)).fill(-100) };
}

/** Largest difference to what torch drew, inside the window; outside of it nothing may have changed. */
function difference(name: string, masks: Floats, [y0, y1, x0, x1]: Window): number {
  const expected = tensor(`${name}.low_res_masks`);
  const [, , height = 0, width = 0] = masks.dims;
  let worst = 0;
  for (const [at, value] of masks.data.entries()) {
    const [row, column] = [Math.floor(at / width) % height, at % width];
    const inside = row >= 4 * y0 && row < 4 * y1 && column >= 4 * x0 && column < 4 * x1;
    worst = Math.max(worst, Math.abs(value - (inside ? (expected.data[at] ?? Number.NaN) : -100)));
  }
  return worst;
}

describe("a decoder by the program of our own", () => {
  let build: Uint8Array<ArrayBuffer>;
  const decoder = async () => new PreparedDecoder(await startProgram([build]), golden, SHAPE);

  beforeAll(async () => {
    build = await buildProgram("plain");
  }, 60_000);

  it.each(["click", "mask", "many"])("answers as torch does: %s", async (name) => {
    const prepared = await decoder();
    const { ious, draw } = prepared.answer(prepared.hold(views), prompts(name));
    for (const [at, iou] of tensor(`${name}.iou_predictions`).data.entries()) expect(ious[at]).toBeCloseTo(iou, 3);
    const masks = blank();
    draw(masks, WHOLE);
    expect(difference(name, masks, WHOLE)).toBeLessThan(5e-4);
  });

  it.each([
    ["the rows of a picture", [0, 2, 0, 5]],
    ["the rows below it, whose last positions do not fill a panel", [2, 3, 0, 5]],
    ["columns in the middle", [0, 3, 1, 3]],
    ["one position", [1, 2, 4, 5]],
  ] as const)("draws %s and nothing else", async (_, window) => {
    const prepared = await decoder();
    const masks = blank();
    prepared.answer(prepared.hold(views), prompts("click")).draw(masks, window);
    expect(difference("click", masks, window)).toBeLessThan(5e-4);
  });

  it("goes on with a drawing after other prompts and images came between", async () => {
    const prepared = await decoder();
    const image = prepared.hold(views);
    const { draw } = prepared.answer(image, prompts("many"));
    const masks = blank();
    draw(masks, [0, 2, 0, 5]);
    const other = prepared.hold({ look: blankView });
    prepared.answer(other, prompts("mask")).draw(blank(), WHOLE);
    prepared.answer(image, prompts("click")).draw(blank(), WHOLE);
    draw(masks, [2, 3, 0, 5]);
    expect(difference("many", masks, WHOLE)).toBeLessThan(5e-4);
  });

  it("gives the place of an image that is freed to another, and says so to whoever still asks the first", async () => {
    const prepared = await decoder();
    const [first, second] = [prepared.hold({ look: blankView }), prepared.hold({ look: blankView })];
    const before = prepared.answer(first, prompts("click"));
    prepared.free(first);
    const third = prepared.hold(views);
    expect(third.slot).toBe(first.slot);
    expect(() => before.draw(blank(), WHOLE)).toThrow("was given up");
    prepared.free(first); // once more: it is not the third one's end
    const masks = blank();
    prepared.answer(third, prompts("click")).draw(masks, WHOLE);
    expect(difference("click", masks, WHOLE)).toBeLessThan(5e-4);
    expect(prepared.answer(second, prompts("click")).ious).toHaveLength(4);
  });

  it("takes the first build that can run here", async () => {
    expect(await startProgram([new Uint8Array([1, 2, 3]), build])).toHaveProperty("draw");
    await expect(startProgram([new Uint8Array([1, 2, 3])])).rejects.toThrow("cannot run");
  });

  it("refuses weights and views that are not all there", async () => {
    const program = await startProgram([build]);
    expect(() => new PreparedDecoder(program, new Map(), SHAPE)).toThrow("has no heads");
  });
});

describe("safetensors", () => {
  it("refuses what is cut off or of another type", () => {
    const bytes = new Uint8Array(file).slice();
    expect(() => readSafetensors(bytes.buffer.slice(0, 4))).toThrow("cut off");
    expect(() => readSafetensors(bytes.buffer.slice(0, 40))).toThrow("cut off");
    expect(() => readSafetensors(bytes.buffer.slice(0, -4))).toThrow("cut off");
    const header = JSON.stringify({ a: { dtype: "F16", shape: [2], data_offsets: [0, 4] } });
    const small = new Uint8Array(8 + header.length + 4);
    new DataView(small.buffer).setBigUint64(0, BigInt(header.length), true);
    small.set(new TextEncoder().encode(header), 8);
    expect(() => readSafetensors(small.buffer)).toThrow("F16");
  });
});
