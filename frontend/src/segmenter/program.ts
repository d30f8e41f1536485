/** Rows from y0 and columns from x0 on, up to y1 and x1, in positions of the embedding. */
export type Window = readonly [y0: number, y1: number, x0: number, x1: number];

/** What frontend/kernel/index.ts exports, which says what each does. All numbers are sizes and addresses. */
export interface Program {
  readonly memory: WebAssembly.Memory;
  pack(from: number, rows: number, positions: number, to: number): void;
  product(
    map: number,
    mapStep: number,
    rows: number,
    depth: number,
    right: number,
    columns: number,
    out: number,
    more: boolean,
  ): void;
  /** One panel of a product: eight columns of `panel` and `out`, whose rows are so many bytes apart. */
  multiply(
    map: number,
    mapStep: number,
    rows: number,
    depth: number,
    panel: number,
    step: number,
    out: number,
    outStep: number,
    more: boolean,
  ): void;
  addBias(map: number, rows: number, columns: number, bias: number, positive: boolean): void;
  normColumns(map: number, rows: number, columns: number, gain: number, bias: number, epsilon: number): void;
  look(
    attention: number,
    image: number,
    values: number,
    mixed: number,
    spread: number,
    spreadColumns: number,
    scratch: number,
  ): void;
  answer(attention: number, image: number, told: number, scratch: number): void;
  maskCodes(weights: number, image: number, mask: number, width: number, scratch: number): void;
  draw(task: number, image: number, ...window: Window): void;
  convolve(task: number, from: number, more: number, to: number): void;
  enlarge(task: number, from: number, more: number, to: number): void;
  toPanels(from: number, to: number): void;
  toPlanes(from: number, to: number): void;
  gaze(asked: number, places: number, mixed: number, sums: number, scratch: number): void;
  reply(asked: number, places: number, told: number, scratch: number): void;
  masks(task: number, from: number): void;
  weighted(panels: number, count: number, rows: number, weights: number, out: number): void;
}

/** Starts the first of the builds that this browser can run. */
export async function startProgram(builds: readonly BufferSource[]): Promise<Program> {
  const build = builds.find((bytes) => WebAssembly.validate(bytes));
  if (!build) throw new Error("This browser cannot run the decoder.");
  const { instance } = await WebAssembly.instantiate(build);
  return instance.exports as unknown as Program;
}
