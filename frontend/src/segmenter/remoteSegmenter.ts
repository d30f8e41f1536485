import { api } from "../api/endpoints";
import { NewestWins, Overtaken } from "../core/newestWins";
import { decodePatch } from "../core/rle";
import { waitForEmbedding } from "./embeddings";
import {
  type Candidate,
  type Decoded,
  type DecodeRequest,
  isSinglePoint,
  offered,
  type Readiness,
  type Segmenter,
} from "./segmenter";

/** The same decoder on the server, for browsers in which it cannot run. */
export class RemoteSegmenter implements Segmenter {
  readonly place = "server";
  private readonly queue = new NewestWins();
  private readonly abort = new AbortController();

  async prepare(imageId: number, report: (readiness: Readiness) => void, signal: AbortSignal): Promise<void> {
    const source = await waitForEmbedding(imageId, report, signal);
    if (source) report({ state: "ready", model: source.model });
  }

  async decode(request: DecodeRequest): Promise<Decoded> {
    if (request.purpose === "hover" && this.queue.busy) throw new Overtaken();
    const started = performance.now();
    const answer = await this.queue.do(() => api.predict(request.imageId, predictBody(request), this.abort.signal));
    const single = isSinglePoint(request);
    // The server lists the three readings of an ambiguous prompt, or the single mask first and then the readings.
    const all = answer.candidates.map((one, index): Candidate => {
      const patch = decodePatch(one.segmentation);
      return {
        token: single || answer.candidates.length === 3 ? index + 1 : index,
        predictedIou: one.predicted_iou,
        stability: one.stability_score,
        area: one.area,
        patch,
        segmentation: one.segmentation,
        logits: null,
      };
    });
    return { candidates: offered(all, single), model: answer.model, milliseconds: performance.now() - started };
  }

  close(): void {
    this.abort.abort();
  }
}

function predictBody(request: DecodeRequest): Record<string, unknown> {
  const { box } = request;
  return {
    points: request.points.map((point) => [point.x, point.y]),
    labels: [...request.labels],
    box: box && [box.x0, box.y0, box.x1, box.y1],
    mask_input: request.feed?.segmentation ?? null,
    multimask: true,
  };
}
