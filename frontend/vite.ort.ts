import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** The two files that onnxruntime-web loads by URL at run time: the glue module and the SIMD + threads binary. */
const FILES = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
const MEDIA_TYPES: Record<string, string> = { mjs: "text/javascript", wasm: "application/wasm" };

const dist = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const { version } = JSON.parse(readFileSync(join(dist, "../package.json"), "utf8")) as { version: string };

/** Folder below the site's base that holds the runtime; the version in it lets caches keep the files for ever. */
export const ortFolder = `assets/ort-${version}/`;

/** Self-hosts the runtime: copied into the build, streamed from node_modules in development. No CDN is asked. */
export function ortFiles(): Plugin {
  return {
    name: "anymask-ort-files",
    generateBundle() {
      for (const name of FILES) {
        this.emitFile({ type: "asset", fileName: ortFolder + name, source: readFileSync(join(dist, name)) });
      }
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = (request.url ?? "").split("?")[0] ?? "";
        const name = FILES.find((file) => path.endsWith(`/${ortFolder}${file}`));
        if (!name) return next();
        response.setHeader("Content-Type", MEDIA_TYPES[name.split(".").pop() ?? ""] ?? "application/octet-stream");
        response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
        createReadStream(join(dist, name)).pipe(response);
      });
    },
  };
}
