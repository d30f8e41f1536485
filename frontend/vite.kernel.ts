import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const SOURCE = "drawing.ts";
const folder = join(import.meta.dirname, "kernel");

/** What the builds are made of: whoever keeps them for ever keeps them by this. */
export const drawingOrigin =
  readFileSync(join(folder, SOURCE), "utf8") +
  (createRequire(import.meta.url)("assemblyscript/package.json") as { version: string }).version;

/** kernel/drawing.ts as WebAssembly; `fused`: with fused multiply-add, which not every browser has. */
export async function buildDrawing(kind: "fused" | "plain"): Promise<Uint8Array<ArrayBuffer>> {
  let built: Uint8Array<ArrayBuffer> | null = null;
  const features = kind === "fused" ? "simd,relaxed-simd" : "simd";
  const options = ["--optimize", "--noAssert", "--runtime", "stub", "--use", "abort=", "--enable", features];
  const { error, stderr } = await asc.main([SOURCE, "--baseDir", folder, "--outFile", "out.wasm", ...options], {
    writeFile: (_, contents) => {
      if (typeof contents !== "string") built = new Uint8Array(contents);
    },
  });
  if (error || built === null) throw new Error(`kernel/${SOURCE}: ${stderr.toString() || error?.message}`);
  return built;
}
