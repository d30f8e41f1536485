import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildDrawing } from "../../vite.kernel";
import { DrawingKernel, startDrawing, type Window } from "./drawingKernel";
import { type Floats, readSafetensors } from "./safetensors";

const file = readFileSync(new URL("../../../tests/golden/drawing.safetensors", import.meta.url));
const golden = readSafetensors(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer);

/** The golden sketch and views; every call is another prompt on another image to the kernel. */
function given() {
  return { look: (name: string): Floats => golden.get(name) as Floats };
}

function blank(): Floats {
  const dims = (golden.get("low_res_masks") as Floats).dims;
  return { dims, data: new Float32Array(dims.reduce((product, side) => product * side, 1)).fill(-100) };
}

/** Largest difference to what torch drew, inside the window; outside of it nothing may have changed. */
function difference(masks: Floats, [y0, y1, x0, x1]: Window): number {
  const expected = golden.get("low_res_masks") as Floats;
  const [, , height = 0, width = 0] = masks.dims;
  let worst = 0;
  for (const [at, value] of masks.data.entries()) {
    const [row, column] = [Math.floor(at / width) % height, at % width];
    const inside = row >= 4 * y0 && row < 4 * y1 && column >= 4 * x0 && column < 4 * x1;
    worst = Math.max(worst, Math.abs(value - (inside ? (expected.data[at] ?? Number.NaN) : -100)));
  }
  return worst;
}

describe("the drawing's program", async () => {
  const plain = await buildDrawing("plain");

  it.each([
    ["the whole frame", [0, 3, 0, 5]],
    ["the rows of a picture", [0, 2, 0, 5]],
    ["the rows below it, whose last positions are fewer than are drawn together", [2, 3, 0, 5]],
    ["columns in the middle", [0, 3, 1, 3]],
    ["one position", [1, 2, 4, 5]],
  ] as const)("draws %s as torch does", async (_, window) => {
    const kernel = new DrawingKernel(await startDrawing([plain]), golden);
    const masks = blank();
    const [views, sketch] = [given(), given()];
    kernel.draw(views, sketch, masks, window);
    expect(difference(masks, window)).toBeLessThan(1e-4);
  });

  it("goes on with a drawing after another prompt was drawn", async () => {
    const kernel = new DrawingKernel(await startDrawing([plain]), golden);
    const [views, first, second] = [given(), given(), given()];
    const zeros = (name: string) => {
      const { dims, data } = golden.get(name) as Floats;
      return { dims, data: new Float32Array(data.length) };
    };
    const masks = blank();
    kernel.draw(views, first, masks, [0, 2, 0, 5]);
    kernel.draw(views, { look: zeros }, blank(), [0, 3, 0, 5]);
    kernel.draw(given(), second, blank(), [0, 3, 0, 5]);
    kernel.draw(views, first, masks, [2, 3, 0, 5]);
    expect(difference(masks, [0, 3, 0, 5])).toBeLessThan(1e-4);
  });

  it("takes the first build that can run here", async () => {
    expect(await startDrawing([new Uint8Array([1, 2, 3]), plain])).toHaveProperty("draw");
    await expect(startDrawing([new Uint8Array([1, 2, 3])])).rejects.toThrow("cannot run");
  });

  it("refuses weights of another decoder", async () => {
    const program = await startDrawing([plain]);
    expect(() => new DrawingKernel(program, new Map())).toThrow("has no norm_weight");
    const kernel = new DrawingKernel(program, golden);
    const other = {
      look: (name: string) => (name === "upscaled" ? (golden.get("level") as Floats) : given().look(name)),
    };
    expect(() => kernel.draw(other, given(), blank(), [0, 3, 0, 5])).toThrow("different decoders");
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
