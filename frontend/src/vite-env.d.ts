/// <reference types="vite/client" />

/** Folder (below the base URL) that serves onnxruntime-web's wasm files; see vite.ort.ts. */
declare const __ORT_FOLDER__: string;
