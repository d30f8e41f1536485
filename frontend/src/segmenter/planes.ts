import type { KernelMemory } from "./kernelMemory";
import type { Floats } from "./safetensors";

/** Numbers behind a map that the program may load and never uses. */
const SLACK = 32;

/** A map of the program (kernel/planes.ts) in its memory: channels x height x width with a border of zeros. */
export class Planes {
  /** Address of the program's `Planes`. */
  readonly task: number;
  readonly data: number;

  constructor(
    private readonly memory: KernelMemory,
    readonly channels: number,
    readonly height: number,
    readonly width: number,
  ) {
    this.data = memory.zeros(this.length + SLACK);
    this.task = memory.task([this.data, channels, height, width]);
  }

  /** The first `channels` of a tensor, 1 x channels or more x height x width. */
  static of(memory: KernelMemory, { dims, data }: Floats, channels: number): Planes {
    const [, , height = 0, width = 0] = dims;
    const made = new Planes(memory, channels, height, width);
    const values = made.values();
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0; y < height; y++) {
        const from = (channel * height + y) * width;
        values.set(data.subarray(from, from + width), made.at(channel, y, 0));
      }
    }
    return made;
  }

  /** Numbers of one plane, its border included. */
  get plane(): number {
    return (this.height + 2) * (this.width + 2);
  }

  /** Where a place lies in `values`. */
  at(channel: number, y: number, x: number): number {
    return channel * this.plane + (y + 1) * (this.width + 2) + x + 1;
  }

  /** To be used before anything else is put into the memory. */
  values(): Float32Array {
    return this.memory.floats(this.data, this.length);
  }

  private get length(): number {
    return this.channels * this.plane;
  }
}
