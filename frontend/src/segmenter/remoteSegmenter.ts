import { api } from "../api/endpoints";
import type { PredictAnswer } from "../api/types";
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
    if (request.purpose === "grid") await this.queue.idle();
    const started = performance.now();
    const single = isSinglePoint(request);
    const [readings, sole] = await this.queue.do(() => {
      // Several prompts: the server gives the single mask and the readings in two answers.
      const ask = (multimask: boolean) =>
        api.predict(request.imageId, predictBody(request, multimask), this.abort.signal);
      return Promise.all([ask(true), single ? null : ask(false)]);
    });
    const all = [
      ...(sole?.candidates.slice(0, 1).map((one) => candidateFrom(one, 0)) ?? []),
      ...readings.candidates.map((one, index) => candidateFrom(one, index + 1)),
    ];
    const milliseconds = performance.now() - started;
    return { candidates: offered(all, single), model: readings.model, milliseconds, decoding: null };
  }

  warm(): void {}

  close(): void {
    this.abort.abort();
  }
}

function candidateFrom(answer: PredictAnswer["candidates"][number], token: number): Candidate {
  return {
    token,
    predictedIou: answer.predicted_iou,
    stability: answer.stability_score,
    area: answer.area,
    patch: decodePatch(answer.segmentation),
    segmentation: answer.segmentation,
    logits: null,
  };
}

function predictBody(request: DecodeRequest, multimask: boolean): Record<string, unknown> {
  const { box } = request;
  return {
    points: request.points.map((point) => [point.x, point.y]),
    labels: [...request.labels],
    box: box && [box.x0, box.y0, box.x1, box.y1],
    mask_input: request.feed?.segmentation ?? request.rough,
    multimask,
  };
}
