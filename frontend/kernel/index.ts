/**
 * What a browser computes of a decoder for each prompt, in WebAssembly: of SAM's (modelzoo/model/prepared_decoder.py has
 * the formulas) and of the default model's (modelzoo/model/compact_decoder.py). AssemblyScript, built by vite.kernel.ts:
 * once with fused multiply-add (relaxed SIMD), once without.
 */
export { draw } from "./drawing";
export { masks, weighted } from "./masks";
export { multiply, pack, product } from "./panels";
export { convolve, enlarge, toPanels, toPlanes } from "./planes";
export { addBias, answer, look, maskCodes, normColumns } from "./sketch";
export { gaze, reply } from "./tokens";
