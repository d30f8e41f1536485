/** The header of one tensor. */
interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

export interface Floats {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** The tensors of a safetensors file by name. TypeError for what is no such file, or holds other than float32. */
export function readSafetensors(bytes: ArrayBuffer): ReadonlyMap<string, Floats> {
  const length = bytes.byteLength < 8 ? Number.NaN : Number(new DataView(bytes).getBigUint64(0, true));
  const start = 8 + length;
  if (!(start <= bytes.byteLength)) throw new TypeError("The decoder's weights are cut off.");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length))) as Record<string, Entry>;
  const tensors = new Map<string, Floats>();
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [from, to] = offsets;
    if (dtype !== "F32") throw new TypeError(`The decoder's ${name} is ${dtype}, not F32.`);
    if (start + to > bytes.byteLength) throw new TypeError("The decoder's weights are cut off.");
    tensors.set(name, { dims: shape, data: new Float32Array(bytes.slice(start + from, start + to)) });
  }
  return tensors;
}
