import type { Frame } from "../core/upscale";
import type { Candidate, DecodeRequest } from "./segmenter";

/** Where and how the stored embedding of one image lies; from GET /api/images/{id}/embedding/. */
export interface EmbeddingSource {
  readonly imageId: number;
  readonly url: string;
  readonly decoderUrl: string;
  readonly model: string;
  /** float16 tensors in file order, each [channels, height, width]. */
  readonly layout: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly frame: Frame;
}

export type ToWorker =
  | { readonly kind: "start"; readonly wasmBase: string }
  | { readonly kind: "warm"; readonly call: number; readonly decoderUrl: string }
  | { readonly kind: "load"; readonly call: number; readonly source: EmbeddingSource }
  | { readonly kind: "decode"; readonly call: number; readonly request: DecodeRequest }
  /** A click waits for the preview that is under way and asks for another place. */
  | { readonly kind: "overtake" };

export type FromWorker =
  | { readonly kind: "loaded"; readonly call: number }
  /** The mask shown first, ahead of the others. */
  | { readonly kind: "best"; readonly call: number; readonly candidate: Candidate }
  /** Every other one, in the order of their tokens, and what the one that went ahead feeds to the next prompt. */
  | {
      readonly kind: "decoded";
      readonly call: number;
      readonly candidates: Candidate[];
      readonly bestLogits: Float32Array | null;
      /** Milliseconds of the decoder itself; null where the answer was known. */
      readonly decoding: number | null;
    }
  /** A preview that was given up for a click. */
  | { readonly kind: "overtaken"; readonly call: number }
  | { readonly kind: "failed"; readonly call: number; readonly message: string; readonly runtime: boolean };
