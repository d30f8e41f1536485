import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const SOURCE = "index.ts";
const folder = join(import.meta.dirname, "kernel");

/** What the builds are made of: whoever keeps them for ever keeps them by this. */
export const programOrigin = [
  ...readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8")),
  (createRequire(import.meta.url)("assemblyscript/package.json") as { version: string }).version,
].join("\n");

/** The program in kernel/ as WebAssembly; `fused`: with fused multiply-add, which not every browser has. */
export async function buildProgram(kind: "fused" | "plain"): Promise<Uint8Array<ArrayBuffer>> {
  let built: Uint8Array<ArrayBuffer> | null = null;
  const features = kind === "fused" ? "simd,relaxed-simd" : "simd";
  const options = [
    "--disableWarning",
    "112",
    "--optimize",
    "--noAssert",
    "--runtime",
    "stub",
    "--use",
    "abort=",
    "--enable",
    features,
  ];
  const { error, stderr } = await asc.main([SOURCE, "--baseDir", folder, "--outFile", "out.wasm", ...options], {
    writeFile: (_, contents) => {
      if (typeof contents !== "string") built = new Uint8Array(contents);
    },
  });
  if (error || built === null) throw new Error(`kernel/${SOURCE}: ${stderr.toString() || error?.message}`);
  return built;
}
