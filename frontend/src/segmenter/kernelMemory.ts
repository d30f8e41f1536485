/** Bytes of a number, and of an address. */
export const WORD = 4;
const PAGE = 65536;
/** Bytes to which vectors are aligned. */
const VECTOR = 16;

/** A number that the program reads as f32; others are sizes and addresses. */
export class Float {
  constructor(readonly value: number) {}
}

/** The memory of a program, filled from its start to its end: what is no longer needed is what lies behind a mark. */
export class KernelMemory {
  /** Where the next thing goes. */
  end: number;

  constructor(
    private readonly memory: WebAssembly.Memory,
    start: number,
  ) {
    this.end = start;
  }

  /** Address of room for `count` numbers, whatever they are now. */
  room(count: number): number {
    const address = this.end;
    this.end += Math.ceil((count * WORD) / VECTOR) * VECTOR;
    const missing = this.end - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    return address;
  }

  zeros(count: number): number {
    const address = this.room(count);
    this.floats(address, count).fill(0);
    return address;
  }

  put(values: ArrayLike<number>): number {
    const address = this.room(values.length);
    this.floats(address, values.length).set(values);
    return address;
  }

  /** Sizes, addresses and floats in the order in which a class of the program has them. */
  task(values: readonly (number | Float)[]): number {
    const address = this.room(values.length);
    const view = new DataView(this.memory.buffer, address);
    for (const [at, value] of values.entries()) {
      if (value instanceof Float) view.setFloat32(at * WORD, value.value, true);
      else view.setUint32(at * WORD, value, true);
    }
    return address;
  }

  /** To be used before anything else is put anywhere: memory that grows leaves it behind. */
  floats(address: number, count: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, count);
  }
}
