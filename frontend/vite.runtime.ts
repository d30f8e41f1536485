import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";
import { buildProgram, programOrigin } from "./vite.kernel.ts";

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const { version } = JSON.parse(readFileSync(join(dist, "../package.json"), "utf8")) as { version: string };

/**
 * What is loaded by URL at run time, and where it comes from: the glue module of onnxruntime-web, the SIMD + threads
 * binary, what stands before the glue so that the runtime's memory can be reached, and our own program for masks.
 */
const FILES: Record<string, () => Promise<Uint8Array> | Uint8Array> = {
  "ort-wasm-simd-threaded.mjs": () => readFileSync(join(dist, "ort-wasm-simd-threaded.mjs")),
  "ort-wasm-simd-threaded.wasm": () => readFileSync(join(dist, "ort-wasm-simd-threaded.wasm")),
  "runtime.mjs": () => readFileSync(join(import.meta.dirname, "src/segmenter/runtime.mjs")),
  "decoder-fused.wasm": () => buildProgram("fused"),
  "decoder.wasm": () => buildProgram("plain"),
};
const MEDIA_TYPES: Record<string, string> = { mjs: "text/javascript", wasm: "application/wasm" };

const digest = createHash("sha256").update(programOrigin).digest("hex").slice(0, 8);

/** Folder below the site's base that holds them; what they are made of is in its name, so caches keep them for ever. */
export const runtimeFolder = `assets/runtime-${version}-${digest}/`;

/** Self-hosts the runtime: copied into the build, made anew for each request in development. No CDN is asked. */
export function runtimeFiles(): Plugin {
  return {
    name: "anymask-runtime-files",
    async generateBundle() {
      for (const [name, bytes] of Object.entries(FILES)) {
        this.emitFile({ type: "asset", fileName: runtimeFolder + name, source: await bytes() });
      }
    },
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const path = (request.url ?? "").split("?")[0] ?? "";
        const [name, bytes] = Object.entries(FILES).find(([one]) => path.endsWith(`/${runtimeFolder}${one}`)) ?? [];
        if (!name || !bytes) return next();
        response.setHeader("Content-Type", MEDIA_TYPES[name.split(".").pop() ?? ""] ?? "application/octet-stream");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        response.end(await bytes());
      });
    },
  };
}
