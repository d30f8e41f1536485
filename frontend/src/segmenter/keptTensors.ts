import type * as ort from "onnxruntime-web/wasm";
import type { Floats } from "./safetensors";

export type Tensors = Record<string, ort.Tensor>;

/** What is used of ONNX Runtime's WebAssembly module; onnxruntime-web (lib/wasm/wasm-types.ts) keeps it to itself. */
interface Runtime {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  stackSave(): number;
  stackAlloc(bytes: number): number;
  stackRestore(stack: number): void;
  getValue(address: number, type: string): number;
  setValue(address: number, value: number, type: string): void;
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, address: number, most: number): void;
  UTF8ToString(address: number): string;
  _OrtCreateTensor(type: number, data: number, bytes: number, dims: number, rank: number, place: number): number;
  _OrtGetTensorData(tensor: number, type: number, data: number, dims: number, rank: number): number;
  _OrtReleaseTensor(tensor: number): number;
  _OrtFree(address: number): number;
  _OrtGetLastError(code: number, message: number): number;
  _OrtRun(
    session: number,
    inputNames: number,
    inputs: number,
    inputCount: number,
    outputNames: number,
    outputCount: number,
    outputs: number,
    options: number,
  ): number;
}

/** ONNX Runtime's numbers for what is used here. */
const FLOAT32 = 1;
const IN_MEMORY = 1;
/** Bytes of an address, and of a side of a tensor. */
const WORD = 4;

/** Tensors by name in the runtime's own memory, until they are freed: nothing else notices that nobody needs them. */
export class Kept {
  constructor(
    private readonly memory: RuntimeMemory,
    /** Addresses of the tensors; null: freed. */
    private tensors: ReadonlyMap<string, number> | null,
    /** Addresses of data that is ours and not the tensors' own. */
    private readonly data: readonly number[] = [],
  ) {}

  has(name: string): boolean {
    return this.held.has(name);
  }

  address(name: string): number {
    const address = this.held.get(name);
    if (address === undefined) throw new Error(`The decoder asks for ${name}, which is not there.`);
    return address;
  }

  /** A tensor in the runtime's memory, to be used before anything is run or freed. */
  look(name: string): Floats {
    return this.memory.floatsAt(this.address(name));
  }

  /** A tensor, copied out of the runtime's memory. */
  read(name: string): Floats {
    const { dims, data } = this.look(name);
    return { dims, data: data.slice() };
  }

  free(): void {
    if (this.tensors) this.memory.release([...this.tensors.values()], this.data);
    this.tensors = null;
  }

  private get held(): ReadonlyMap<string, number> {
    if (!this.tensors) throw new Error("What the decoder works on was given up.");
    return this.tensors;
  }
}

/**
 * Runs sessions on tensors that stay in the runtime's memory. `InferenceSession.run` copies every input into it, the
 * embedding at every click, and every output out of it.
 */
export class RuntimeMemory {
  private readonly names = new Map<string, number>();

  private constructor(private readonly runtime: Runtime) {}

  /** Of the runtime below `wasmBase`, which has opened a session. */
  static async of(wasmBase: string): Promise<RuntimeMemory> {
    const loaded = (await import(/* @vite-ignore */ `${wasmBase}runtime.mjs`)) as { runtime: Promise<Runtime> };
    return new RuntimeMemory(await loaded.runtime);
  }

  /** Copies tensors into the runtime's memory. */
  keep(tensors: Tensors): Kept {
    const data: number[] = [];
    const made = Object.entries(tensors).map(([name, tensor]): [string, number] => {
      const bytes = tensor.data as Float32Array;
      const address = this.runtime._malloc(bytes.byteLength);
      data.push(address);
      this.runtime.HEAPU8.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), address);
      return [name, this.tensorAt(address, bytes.byteLength, tensor)];
    });
    return new Kept(this, new Map(made), data);
  }

  /** All outputs of a session. It takes its inputs from what is kept, and what it does not find there from `passing`. */
  run(session: ort.InferenceSession, kept: readonly Kept[], passing: Tensors = {}): Kept {
    const { inputNames, outputNames } = session;
    const { runtime } = this;
    const given = this.keep(passing);
    const stack = runtime.stackSave();
    try {
      const holder = (name: string) => kept.find((one) => one.has(name)) ?? given;
      const inputs = this.words(inputNames.map((name) => holder(name).address(name)));
      const outputs = this.words(outputNames.map(() => 0));
      const [asked, answered] = [this.words(inputNames.map(this.nameAt)), this.words(outputNames.map(this.nameAt))];
      const handle = addressOf(session);
      this.check(runtime._OrtRun(handle, asked, inputs, inputNames.length, answered, outputNames.length, outputs, 0));
      const made = outputNames.map((name, at) => [name, runtime.getValue(outputs + at * WORD, "*")] as const);
      return new Kept(this, new Map(made));
    } finally {
      runtime.stackRestore(stack);
      given.free();
    }
  }

  /** The tensor at an address, where it lies. */
  floatsAt(tensor: number): Floats {
    const { runtime } = this;
    const stack = runtime.stackSave();
    try {
      const told = this.words([0, 0, 0, 0]);
      this.check(runtime._OrtGetTensorData(tensor, told, told + WORD, told + 2 * WORD, told + 3 * WORD));
      const [address = 0, sides = 0, rank = 0] = [1, 2, 3].map((at) => runtime.getValue(told + at * WORD, "*"));
      const dims = Array.from({ length: rank }, (_, at) => runtime.getValue(sides + at * WORD, "*"));
      this.check(runtime._OrtFree(sides));
      const count = dims.reduce((product, side) => product * side, 1);
      return { dims, data: new Float32Array(runtime.HEAPU8.buffer, address, count) };
    } finally {
      runtime.stackRestore(stack);
    }
  }

  release(tensors: readonly number[], data: readonly number[]): void {
    for (const tensor of tensors) this.check(this.runtime._OrtReleaseTensor(tensor));
    for (const address of data) this.runtime._free(address);
  }

  private tensorAt(address: number, bytes: number, { dims }: ort.Tensor): number {
    const stack = this.runtime.stackSave();
    const tensor = this.runtime._OrtCreateTensor(FLOAT32, address, bytes, this.words(dims), dims.length, IN_MEMORY);
    this.runtime.stackRestore(stack);
    if (tensor === 0) this.check(-1);
    return tensor;
  }

  /** Numbers on the runtime's stack, as it takes lists. */
  private words(values: readonly number[]): number {
    const address = this.runtime.stackAlloc(values.length * WORD);
    for (const [at, value] of values.entries()) this.runtime.setValue(address + at * WORD, value, "i32");
    return address;
  }

  /** Where a name lies, once and for all. */
  private readonly nameAt = (name: string): number => {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    const bytes = this.runtime.lengthBytesUTF8(name) + 1;
    const address = this.runtime._malloc(bytes);
    this.runtime.stringToUTF8(name, address, bytes);
    this.names.set(name, address);
    return address;
  };

  private check(code: number): void {
    if (code === 0) return;
    const told = this.words([0, 0]);
    this.runtime._OrtGetLastError(told, told + WORD);
    const message = this.runtime.getValue(told + WORD, "*");
    throw new Error(message ? this.runtime.UTF8ToString(message) : "The decoder failed.");
  }
}

/** Where the runtime has a session; onnxruntime-web keeps that to itself as well. */
function addressOf(session: ort.InferenceSession): number {
  return (session as unknown as { handler: { sessionId: number } }).handler.sessionId;
}
