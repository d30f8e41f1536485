import { ApiError } from "../api/client";
import { api } from "../api/endpoints";
import { sleep } from "../api/sleep";
import type { EmbeddingAnswer } from "../api/types";
import type { EmbeddingSource } from "./protocol";
import type { Readiness } from "./segmenter";

const FIRST_WAIT = 300;
const LONGEST_WAIT = 2000;

/** Asks until the image is encoded (asking queues the work). Null when it failed, which was reported, or was aborted. */
export async function waitForEmbedding(
  imageId: number,
  report: (readiness: Readiness) => void,
  signal: AbortSignal,
): Promise<EmbeddingSource | null> {
  for (let wait = FIRST_WAIT; !signal.aborted; wait = Math.min(LONGEST_WAIT, wait * 1.3)) {
    const answer = await ask(imageId, report, signal);
    if (answer === "stop") return null;
    if (answer?.state === "ready") return sourceFrom(imageId, answer);
    if (answer?.state === "failed") {
      report({ state: "failed", message: answer.message || "The model could not read this image." });
      return null;
    }
    if (answer) report({ state: "pending", message: answer.message || "Preparing this image", progress: null });
    await sleep(wait, signal);
  }
  return null;
}

async function ask(
  imageId: number,
  report: (readiness: Readiness) => void,
  signal: AbortSignal,
): Promise<EmbeddingAnswer | "stop" | null> {
  try {
    return await api.embedding(imageId, signal);
  } catch (error) {
    if (signal.aborted) return "stop";
    if (error instanceof ApiError && !error.offline && error.status < 500) {
      report({ state: "failed", message: error.message });
      return "stop";
    }
    report({ state: "pending", message: "Waiting for the server", progress: null });
    return null;
  }
}

function sourceFrom(imageId: number, answer: EmbeddingAnswer): EmbeddingSource {
  if (!answer.url || !answer.decoder_url || !answer.frame) throw new Error("The embedding's address is missing.");
  return {
    imageId,
    url: answer.url,
    decoderUrl: answer.decoder_url,
    model: answer.model,
    layout: answer.layout,
    frame: {
      originalSize: answer.frame.original_size,
      inputSize: answer.frame.input_size,
      paddedSize: answer.frame.padded_size,
    },
  };
}
