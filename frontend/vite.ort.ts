import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const { version } = JSON.parse(readFileSync(join(dist, "../package.json"), "utf8")) as { version: string };

/**
 * What is loaded by URL at run time, and where it lies: the glue module of onnxruntime-web, the SIMD + threads binary,
 * and what stands before the glue so that the runtime's memory can be reached.
 */
const FILES: Record<string, string> = {
  "ort-wasm-simd-threaded.mjs": join(dist, "ort-wasm-simd-threaded.mjs"),
  "ort-wasm-simd-threaded.wasm": join(dist, "ort-wasm-simd-threaded.wasm"),
  "runtime.mjs": join(import.meta.dirname, "src/segmenter/runtime.mjs"),
};
const MEDIA_TYPES: Record<string, string> = { mjs: "text/javascript", wasm: "application/wasm" };

/** Folder below the site's base that holds the runtime; the version in it lets caches keep the files for ever. */
export const ortFolder = `assets/ort-${version}/`;

/** Self-hosts the runtime: copied into the build, streamed from node_modules in development. No CDN is asked. */
export function ortFiles(): Plugin {
  return {
    name: "anymask-ort-files",
    generateBundle() {
      for (const [name, path] of Object.entries(FILES)) {
        this.emitFile({ type: "asset", fileName: ortFolder + name, source: readFileSync(path) });
      }
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = (request.url ?? "").split("?")[0] ?? "";
        const [name, file] = Object.entries(FILES).find(([one]) => path.endsWith(`/${ortFolder}${one}`)) ?? [];
        if (!name || !file) return next();
        response.setHeader("Content-Type", MEDIA_TYPES[name.split(".").pop() ?? ""] ?? "application/octet-stream");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        createReadStream(file).pipe(response);
      });
    },
  };
}
