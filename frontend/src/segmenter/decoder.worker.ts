/// <reference lib="webworker" />
import { Overtaken } from "../core/newestWins";
import { DecoderRuntime } from "./decoderRuntime";
import type { FromWorker, ToWorker } from "./protocol";
import type { Candidate } from "./segmenter";

declare const self: DedicatedWorkerGlobalScope;

let runtime: DecoderRuntime | null = null;

function reply(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, transfer);
}

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === "start") {
    runtime = new DecoderRuntime(message.wasmBase);
    return;
  }
  if (!runtime) throw new Error("The decoder was not started.");
  if (message.kind === "overtake") {
    runtime.overtake();
    return;
  }
  if (message.kind !== "decode") {
    if (message.kind === "load") await runtime.load(message.source);
    else await runtime.warm(message.decoderUrl);
    reply({ kind: "loaded", call: message.call });
    return;
  }
  const { call, request } = message;
  const { candidates, bestLogits, decoding } = await runtime.decode(request, (candidate) => {
    reply({ kind: "best", call, candidate }, movable([candidate]));
  });
  reply({ kind: "decoded", call, candidates, bestLogits, decoding }, [
    ...movable(candidates),
    ...(bestLogits ? [bestLogits.buffer] : []),
  ]);
}

/** What need not be copied on its way to the page. Empty masks share one empty array, which must stay here. */
function movable(candidates: readonly Candidate[]): Transferable[] {
  return candidates
    .flatMap((one) => [one.patch.data.buffer, ...(one.logits ? [one.logits.buffer] : [])])
    .filter((buffer) => buffer.byteLength > 0);
}

self.addEventListener("message", (event: MessageEvent<ToWorker>) => {
  handle(event.data).catch((error: unknown) => {
    const call = "call" in event.data ? event.data.call : -1;
    if (error instanceof Overtaken) {
      reply({ kind: "overtaken", call });
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    reply({ kind: "failed", call, message, runtime: !(error instanceof TypeError) });
  });
});
