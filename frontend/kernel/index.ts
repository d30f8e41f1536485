/**
 * What a browser computes of a SAM decoder for each prompt (modelzoo/model/prepared_decoder.py has the formulas), in
 * WebAssembly. AssemblyScript, built by vite.kernel.ts: once with fused multiply-add (relaxed SIMD), once without.
 */
export { draw } from "./drawing";
export { pack, product } from "./panels";
export { addBias, answer, look, maskCodes, normColumns } from "./sketch";
