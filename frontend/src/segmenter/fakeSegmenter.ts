import { imagePoint, type Size } from "../core/geometry";
import { EMPTY_PATCH, paintStroke, patchArea } from "../core/patch";
import { encodePatch } from "../core/rle";
import {
  type Candidate,
  type Decoded,
  type DecodeRequest,
  isSinglePoint,
  offered,
  type Readiness,
  type Segmenter,
} from "./segmenter";

/**
 * Answers with discs round the positive points (radius 4, 8 and 12 pixels), less discs round the negative ones. A
 * `stubborn` one sees no click but the first as long as a rough mask goes along.
 */
export class FakeSegmenter implements Segmenter {
  readonly place = "fake";
  readonly requests: DecodeRequest[] = [];
  stubborn = false;

  constructor(private readonly size: Size) {}

  async prepare(_imageId: number, report: (readiness: Readiness) => void): Promise<void> {
    report({ state: "ready", model: "fake" });
  }

  async decode(request: DecodeRequest): Promise<Decoded> {
    this.requests.push(request);
    const all = [0, 1, 2, 3].map((token) => this.disc(request, token));
    return { candidates: offered(all, isSinglePoint(request)), model: "fake", milliseconds: 1, decoding: 1 };
  }

  warm(): void {}

  close(): void {}

  private disc(request: DecodeRequest, token: number): Candidate {
    let patch = EMPTY_PATCH;
    const radius = 4 * Math.max(1, token);
    const centre = request.box && {
      x: (request.box.x0 + request.box.x1) / 2,
      y: (request.box.y0 + request.box.y1) / 2,
    };
    const blind = this.stubborn && request.rough && !request.feed;
    const seen = blind ? request.points.slice(0, 1) : request.points;
    const points = centre ? [centre, ...seen] : seen;
    const labels = centre ? [1 as const, ...request.labels] : request.labels;
    for (const wanted of [1, 0] as const) {
      points.forEach((point, index) => {
        if (labels[index] !== wanted) return;
        patch = paintStroke(patch, [imagePoint(point.x, point.y)], radius, wanted, this.size);
      });
    }
    return {
      token,
      predictedIou: 0.5 + token / 10,
      stability: 1,
      area: patchArea(patch),
      patch,
      segmentation: encodePatch(patch, [this.size.height, this.size.width]),
      logits: null,
    };
  }
}
