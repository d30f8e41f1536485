import { LocalSegmenter, RuntimeUnavailable } from "./localSegmenter";
import { RemoteSegmenter } from "./remoteSegmenter";
import type { Candidate, Decoded, DecodeRequest, Readiness, Segmenter } from "./segmenter";

/** Decodes in the browser, and on the server from the moment that WebAssembly turns out not to work here. */
export class FallbackSegmenter implements Segmenter {
  private active: Segmenter;

  constructor(
    wasmBase: string,
    place: "browser" | "server",
    private readonly onSwitch: (reason: string) => void,
  ) {
    this.active =
      place === "server" || typeof Worker === "undefined" ? new RemoteSegmenter() : new LocalSegmenter(wasmBase);
  }

  get place(): Segmenter["place"] {
    return this.active.place;
  }

  prepare(imageId: number, report: (readiness: Readiness) => void, signal: AbortSignal): Promise<void> {
    return this.withFallback((segmenter) => segmenter.prepare(imageId, report, signal));
  }

  decode(request: DecodeRequest, onBest?: (best: Candidate) => void): Promise<Decoded> {
    return this.withFallback((segmenter) => segmenter.decode(request, onBest));
  }

  warm(decoderUrl: string): void {
    this.active.warm(decoderUrl);
  }

  close(): void {
    this.active.close();
  }

  private async withFallback<T>(work: (segmenter: Segmenter) => Promise<T>): Promise<T> {
    const segmenter = this.active;
    try {
      return await work(segmenter);
    } catch (error) {
      if (!(error instanceof RuntimeUnavailable)) throw error;
      if (this.active === segmenter) {
        segmenter.close(error);
        this.active = new RemoteSegmenter();
        this.onSwitch(error.message);
      }
      return work(this.active);
    }
  }
}
