import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { runtimeFiles, runtimeFolder } from "./vite.runtime.ts";

const server = "http://127.0.0.1:8000";

// Threads in WebAssembly need SharedArrayBuffer, which browsers give to isolated pages only.
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  base: "/",
  plugins: [react(), runtimeFiles()],
  define: { __RUNTIME_FOLDER__: JSON.stringify(runtimeFolder) },
  // The build of onnxruntime-web that loads its wasm by URL, so that it is not bundled a second time.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "development|production"] },
  worker: { format: "es" as const },
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 700,
    // Strict Content-Security-Policy: nothing inlined, no data: URLs for assets.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    headers: isolation,
    proxy: { "/api": server, "/media": server, "/healthz": server },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
