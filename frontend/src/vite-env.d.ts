/// <reference types="vite/client" />

/** Folder (below the base URL) that serves what the decoder loads by URL; see vite.runtime.ts. */
declare const __RUNTIME_FOLDER__: string;
