import type { KernelMemory } from "./kernelMemory";
import type { Floats } from "./safetensors";

interface Placed {
  readonly dims: readonly number[];
  readonly address: number;
  readonly count: number;
}

/** The weights of a decoder by name, in a program's memory. */
export class DecoderWeights {
  private readonly placed = new Map<string, Placed>();

  constructor(private readonly memory: KernelMemory) {}

  /** `address`: where the tensor was put. */
  add(name: string, { dims, data }: Floats, address: number): void {
    this.placed.set(name, { dims, address, count: data.length });
  }

  has(name: string): boolean {
    return this.placed.has(name);
  }

  address(name: string): number {
    return this.find(name).address;
  }

  /** Length of a tensor's side. */
  side(name: string, axis: number): number {
    return this.find(name).dims[axis] ?? 0;
  }

  /** A tensor's numbers, copied. */
  values(name: string): Float32Array {
    const { address, count } = this.find(name);
    return this.memory.floats(address, count).slice();
  }

  rows(name: string): Float32Array[] {
    const [values, width] = [this.values(name), this.side(name, 1)];
    return Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
  }

  /** The only number of a tensor. */
  number(name: string): number {
    return this.values(name)[0] ?? 0;
  }

  private find(name: string): Placed {
    const found = this.placed.get(name);
    if (!found) throw new TypeError(`The decoder has no ${name}.`);
    return found;
  }
}

/** A map in a program's memory, row by row. `width` is `count` filled up to whole panels. */
export interface Columns {
  readonly address: number;
  readonly rows: number;
  readonly count: number;
  readonly width: number;
}

/** Columns of a panel, as the program's vectors take them. */
export const LANES = 8;

/** A number of columns, filled up to whole panels. */
export const filled = (count: number) => Math.ceil(count / LANES) * LANES;

/** Room for rows x count, filled up with zeros. */
export function columnsIn(memory: KernelMemory, rows: number, count: number): Columns {
  const width = filled(count);
  return { address: memory.zeros(rows * width), rows, count, width };
}
