import { DecoderWeights, filled, LANES } from "./decoderWeights";
import { Float, KernelMemory, WORD } from "./kernelMemory";
import type { Program, Window } from "./program";
import type { Floats } from "./safetensors";
import { type Prompts, type Sizes, type Sketch, Sketching } from "./sketching";

/** What an image alone fixes (`ImageViews`), in the program's memory: addresses by name. */
export interface HeldImage {
  readonly views: ReadonlyMap<string, number>;
  readonly slot: number;
}

export interface PreparedAnswer {
  readonly ious: Float32Array;
  /** Draws a window of the masks into 1 x masks x 4 height x 4 width logits. */
  readonly draw: (masks: Floats, window: Window) => void;
}

/** A sketch that is ready to be drawn: predicted IoUs, addresses of the program's `Image`, `Drawing` and logits. */
interface Drawable {
  readonly ious: Float32Array;
  readonly state: number;
  readonly task: number;
  readonly logits: number;
}

/** Low-resolution logits per position of the embedding, in either direction. */
export const SCALE = 4;
/** Places that a transposed convolution makes of each position. */
const PARTS = 4;
/** From where on a program's memory is free. */
const START = 1024;

/**
 * A SAM decoder on images whose views are made (modelzoo/model/prepared_decoder.py), by a program of our own: half
 * of ONNX Runtime's time (decision 21). In its memory lie the weights, then the images, then the last prompt's sketch.
 */
export class PreparedDecoder {
  private readonly memory: KernelMemory;
  private readonly weights: DecoderWeights;
  private readonly sizes: Sizes;
  /** From where on images lie. */
  private readonly images: number = 0;
  /** Places for images, and whose they are. */
  private readonly slots: (HeldImage | null)[] = [];
  private slotSize = 0;
  private last: { readonly image: HeldImage; readonly prompts: Prompts; readonly sketch: Drawable } | null = null;

  /** weights: `PreparedDecoder.weights` and `Drawing.weights`; shape: rows and columns of the embedding. */
  constructor(
    private readonly program: Program,
    weights: ReadonlyMap<string, Floats>,
    readonly shape: readonly [height: number, width: number],
  ) {
    this.memory = new KernelMemory(program.memory, START);
    this.weights = new DecoderWeights(this.memory);
    for (const [name, tensor] of weights) {
      if (!isPlaced(name)) this.weights.add(name, tensor, this.memory.put(tensor.data));
    }
    const heads = this.weights.number("heads");
    const positions = shape[0] * shape[1];
    this.sizes = {
      shape,
      positions,
      panels: Math.ceil(positions / LANES),
      channels: this.weights.side("kinds", 1),
      heads,
      headWidth: this.weights.side("value_shift_0", 0) / heads,
      depth: this.blocks(),
      masks: this.weights.side("mask_tokens.weight", 0),
    };
    for (const [name, tensor] of weights) {
      if (isPlaced(name)) this.weights.add(name, tensor, this.packed(tensor.data));
    }
    this.images = this.memory.end;
  }

  get masks(): number {
    return this.sizes.masks;
  }

  /** Copies what an image fixes into the program's memory, panel by panel. */
  hold(views: { look(name: string): Floats }): HeldImage {
    this.last = null;
    const free = this.slots.indexOf(null);
    const slot = free < 0 ? this.slots.length : free;
    const held = new Map<string, number>();
    const image = { views: held, slot };
    this.slots[slot] = image;
    const start = this.images + slot * this.slotSize;
    this.memory.end = start;
    for (const name of this.viewNames()) {
      const { data } = views.look(name);
      held.set(name, name.startsWith("values_") ? this.packedValues(data) : this.packed(data));
    }
    this.slotSize ||= this.memory.end - start;
    return image;
  }

  free(image: HeldImage): void {
    if (this.slots[image.slot] === image) this.slots[image.slot] = null;
    this.last = null;
  }

  answer(image: HeldImage, prompts: Prompts): PreparedAnswer {
    const { ious } = this.sketch(image, prompts);
    const draw = (masks: Floats, window: Window) => {
      const { state, task, logits } = this.sketch(image, prompts); // made again where another prompt came between
      this.program.draw(task, state, ...window);
      copyWindow(this.memory.floats(logits, this.logitsCount), masks, window);
    };
    return { ious, draw };
  }

  private sketch(image: HeldImage, prompts: Prompts): Drawable {
    if (this.slots[image.slot] !== image) throw new Error("The image that the decoder works on was given up.");
    if (this.last?.image === image && this.last.prompts === prompts) return this.last.sketch;
    this.memory.end = this.images + this.slots.length * this.slotSize;
    const views = (name: string) => address(image, name);
    const made = new Sketching(this.program, this.memory, this.weights, this.sizes, views, prompts).run();
    const logits = this.memory.room(this.logitsCount);
    const sketch = { ious: made.ious, state: made.image, task: this.drawing(image, made, logits), logits };
    this.last = { image, prompts, sketch };
    return sketch;
  }

  private get logitsCount(): number {
    return this.masks * this.sizes.positions * SCALE ** 2;
  }

  /** The program's `Drawing` of a sketch. */
  private drawing(image: HeldImage, { columns, weights: told }: Sketch, logits: number): number {
    const { memory, weights } = this;
    const { channels, shape } = this.sizes;
    const [upscaled, hidden] = [weights.side("norm_weight", 0), weights.side("second_bias", 0)];
    const [first, rows] = [weights.address("first_upscaling"), upscaled * PARTS];
    const spread = memory.room(rows * columns.width);
    this.program.product(first, channels * WORD, rows, channels, columns.address, columns.width, spread, false);
    const kernels = memory.put(told.flatMap((each) => [...each]));
    const scratch = memory.room(((upscaled + hidden) * PARTS + this.masks) * LANES);
    const names = ["first_bias", "norm_weight", "norm_bias", "second_weight", "second_bias"];
    return memory.task([
      shape[1],
      upscaled,
      hidden,
      this.masks,
      new Float(weights.number("norm_epsilon")),
      address(image, "upscaled"),
      spread,
      columns.width * WORD,
      kernels,
      ...names.map((name) => weights.address(name)),
      scratch,
      logits,
    ]);
  }

  private blocks(): number {
    let depth = 0;
    while (this.weights.has(`answer_shift_${depth}`)) depth += 1;
    return depth;
  }

  private viewNames(): string[] {
    const levels = Array.from({ length: this.sizes.depth }, (_, level) => level);
    const looks = [...levels, this.sizes.depth].flatMap((level) => [`keys_${level}`, `values_${level}`]);
    const answers = levels.flatMap((level) => [
      ...["queries", "norm", "fixed"].map((kind) => `${kind}_${level}`),
      ...levels.slice(0, level + 1).map((earlier) => `answers_${level}_${earlier}`),
    ]);
    return [...looks, ...answers, "upscaled"];
  }

  /** rows x positions, as panels. What it is made from lies beyond all images meanwhile. */
  private packed(values: Float32Array): number {
    const rows = values.length / this.sizes.positions;
    const to = this.memory.room(this.sizes.panels * rows * LANES);
    const mark = this.memory.end;
    this.memory.end = Math.max(mark, this.images + this.slots.length * this.slotSize);
    this.program.pack(this.memory.put(values), rows, this.sizes.positions, to);
    this.memory.end = mark;
    return to;
  }

  /** heads x positions x width, as a map of LANES x width, filled up, for each panel and head. */
  private packedValues(values: Float32Array): number {
    const { heads, headWidth, panels, positions } = this.sizes;
    const wide = filled(headWidth);
    const to = this.memory.zeros(panels * heads * LANES * wide);
    const all = this.memory.floats(to, panels * heads * LANES * wide);
    for (let head = 0; head < heads; head++) {
      for (let position = 0; position < positions; position++) {
        const [panel, lane] = [Math.floor(position / LANES), position % LANES];
        const from = (head * positions + position) * headWidth;
        all.set(values.subarray(from, from + headWidth), ((panel * heads + head) * LANES + lane) * wide);
      }
    }
    return to;
  }
}

/** Whether a weight belongs to positions of the image, and lies in panels. */
function isPlaced(name: string): boolean {
  return name.startsWith("placed_");
}

function address({ views }: HeldImage, name: string): number {
  const found = views.get(name);
  if (found === undefined) throw new TypeError(`The image has no ${name}.`);
  return found;
}

function copyWindow(drawn: Float32Array, { dims, data }: Floats, [y0, y1, x0, x1]: Window): void {
  const [, count = 0, height = 0, width = 0] = dims;
  for (let mask = 0; mask < count; mask++) {
    for (let row = SCALE * y0; row < SCALE * y1; row++) {
      const at = (mask * height + row) * width;
      data.set(drawn.subarray(at + SCALE * x0, at + SCALE * x1), at + SCALE * x0);
    }
  }
}
