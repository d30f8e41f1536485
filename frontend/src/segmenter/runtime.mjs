/**
 * Stands before the glue module of onnxruntime-web and hands on, beside it, the runtime that it starts
 * (keptTensors.ts). Served as it is, at an address that caches keep for ever: a change needs another name.
 */
import start from "./ort-wasm-simd-threaded.mjs";

let started;
export const runtime = new Promise((resolve) => {
  started = resolve;
});

export default async function (options) {
  const module = await start(options);
  started(module);
  return module;
}
