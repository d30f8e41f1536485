import type { Floats } from "./safetensors";

/** Rows from y0 and columns from x0 on, up to y1 and x1, in positions of the embedding. */
export type Window = readonly [y0: number, y1: number, x0: number, x1: number];

/** What a drawing is made of, by name: `upscaled` of an image's views, the rest of a prompt's sketch. */
export interface Drawn {
  look(name: string): Floats;
}

/** What frontend/kernel/drawing.ts exports. */
export interface DrawingProgram {
  readonly memory: WebAssembly.Memory;
  readonly draw: (task: number, ...window: Window) => void;
}

/** Low-resolution logits per position of the embedding, in either direction. */
export const SCALE = 4;
/** Where the program's task lies, and from where on there is room for what it works on. */
const TASK = 64;
const ROOM = 1024;
const PAGE = 65536;
const WORD = 4;
/** Bytes to which vectors are aligned. */
const VECTOR = 16;
/** Positions that are drawn together, and places that a transposed convolution makes of each. */
const LANES = 8;
const PARTS = 4;

/**
 * The last step of a SAM decoder, from a prompt's sketch to the logits of its masks, by a program of our own: half the
 * time of ONNX Runtime's (decision 21). It works in memory of its own, where the last image and sketch stay.
 */
export class DrawingKernel {
  private readonly channels: number;
  private readonly hidden: number;
  private readonly epsilon: number;
  /** Addresses of the weights, in the order of the task. */
  private readonly weights: readonly number[];
  /** From where on images and sketches lie. */
  private readonly start: number;
  private end = ROOM;
  private views: Drawn | null = null;
  private sketch: Drawn | null = null;
  private logits = 0;

  /** `weights` by name, as `Drawing.weights` of modelzoo/model/prepared_decoder.py gives them. */
  constructor(
    private readonly program: DrawingProgram,
    weights: ReadonlyMap<string, Floats>,
  ) {
    const named = (name: string): Float32Array => {
      const tensor = weights.get(name);
      if (!tensor) throw new TypeError(`The decoder's drawing has no ${name}.`);
      return tensor.data;
    };
    this.channels = named("norm_weight").length;
    this.hidden = named("second_bias").length;
    this.epsilon = named("norm_epsilon")[0] ?? 0;
    const order = ["first_bias", "norm_weight", "norm_bias", "second_weight", "second_bias"];
    this.weights = order.map((name) => this.put(named(name)));
    this.start = this.end;
  }

  /** Draws a window of the masks, 1 x masks x height x width logits of the whole frame, into `masks`. */
  draw(views: Drawn, sketch: Drawn, masks: Floats, window: Window): void {
    if (views !== this.views || sketch !== this.sketch) this.take(views, sketch, masks.dims);
    this.program.draw(TASK, ...window);
    this.give(masks, window);
  }

  private take(views: Drawn, sketch: Drawn, [, count = 0, height = 0, width = 0]: readonly number[]): void {
    const positions = (height * width) / SCALE ** 2;
    const [base, level, coefficients, spread, told] = [
      views.look("upscaled"),
      ...["level", "coefficients", "spread", "weights"].map((name) => sketch.look(name)),
    ];
    if (!level || !coefficients || !spread || !told || base.data.length !== this.channels * PARTS * positions) {
      throw new TypeError("The sketch and the drawing are of different decoders.");
    }
    const columns = spread.dims[1] ?? 0;
    this.end = this.start;
    // Weights and the image lie before all that changes with a prompt, so the image need not come again.
    const image = views === this.views ? this.room(base.data.length) : this.put(base.data);
    const given = [level, coefficients, spread, told].map(({ data }) => this.put(data));
    const scratch = this.room((columns + PARTS * (this.channels + this.hidden) + count) * LANES);
    this.logits = this.room(count * height * width);
    const task = new DataView(this.program.memory.buffer, TASK);
    const sizes = [positions, width / SCALE, columns, this.channels, this.hidden, count];
    const addresses = [image, ...given, ...this.weights, scratch, this.logits];
    for (const [at, size] of sizes.entries()) task.setUint32(at * WORD, size, true);
    task.setFloat32(sizes.length * WORD, this.epsilon, true);
    for (const [at, address] of addresses.entries()) task.setUint32((sizes.length + 1 + at) * WORD, address, true);
    this.views = views;
    this.sketch = sketch;
  }

  /** Copies a window of what was drawn. */
  private give({ dims, data }: Floats, [y0, y1, x0, x1]: Window): void {
    const [, count = 0, height = 0, width = 0] = dims;
    const drawn = this.floats(this.logits, count * height * width);
    for (let mask = 0; mask < count; mask++) {
      for (let row = SCALE * y0; row < SCALE * y1; row++) {
        const at = (mask * height + row) * width;
        data.set(drawn.subarray(at + SCALE * x0, at + SCALE * x1), at + SCALE * x0);
      }
    }
  }

  private put(values: Float32Array): number {
    const address = this.room(values.length);
    this.floats(address, values.length).set(values);
    return address;
  }

  private room(count: number): number {
    const address = this.end;
    this.end += Math.ceil((count * WORD) / VECTOR) * VECTOR;
    const missing = this.end - this.program.memory.buffer.byteLength;
    if (missing > 0) this.program.memory.grow(Math.ceil(missing / PAGE));
    return address;
  }

  private floats(address: number, count: number): Float32Array {
    return new Float32Array(this.program.memory.buffer, address, count);
  }
}

/** Starts the first of the builds that this browser can run. */
export async function startDrawing(builds: readonly BufferSource[]): Promise<DrawingProgram> {
  const build = builds.find((bytes) => WebAssembly.validate(bytes));
  if (!build) throw new Error("This browser cannot run the decoder.");
  const { instance } = await WebAssembly.instantiate(build);
  return instance.exports as unknown as DrawingProgram;
}
