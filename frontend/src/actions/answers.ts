import { disobeys, heldByMask, type PromptStep, promptsOf, stepsKey } from "../core/draft";
import type { Timings } from "../core/latency";
import { bestOf, type Candidate, type Decoded, type Segmenter } from "../segmenter/segmenter";

export interface AnswersOptions {
  readonly segmenter: Segmenter;
  readonly imageId: number;
  readonly timings: Timings;
}

/** `letGo`: the rough mask that the prompts began from held the answer back, and goes along no longer (decision 13). */
export interface Answer extends Decoded {
  readonly letGo: boolean;
}

type OnBest = (best: Candidate) => void;

/** Answers kept, so that undo shows a mask again at once. */
const KEEP = 60;

/** What the model says to the prompts of a half-made mask: a recipe that gives the same mask after undo or reload. */
export class Answers {
  private readonly kept = new Map<string, Answer>();

  constructor(private readonly options: AnswersOptions) {}

  clear(): void {
    this.kept.clear();
  }

  known(steps: readonly PromptStep[]): Answer | undefined {
    return this.kept.get(stepsKey(steps));
  }

  /** Whether the rough mask that the prompts began from goes along with the next one, and not the answer to these. */
  held(steps: readonly PromptStep[]): boolean {
    return heldByMask(steps) && !this.known(steps)?.letGo;
  }

  /** Decodes from the longest part whose answer is known, step by step, each fed with what was seen. */
  async to(steps: readonly PromptStep[], onBest?: OnBest): Promise<Answer> {
    const known = this.known(steps);
    if (known) return known;
    const fed = steps.at(-1)?.fed ?? null;
    const before = fed === null ? null : await this.to(steps.slice(0, -1));
    const feed = before?.candidates.find((one) => one.token === fed) ?? null;
    const answer = await this.ask(steps, feed, onBest);
    this.kept.set(stepsKey(steps), answer);
    const oldest = this.kept.keys().next().value;
    if (this.kept.size > KEEP && oldest !== undefined) this.kept.delete(oldest);
    return answer;
  }

  /** An answer that disobeys a click for the rough mask's sake is asked once more, with itself in the mask's place. */
  private async ask(steps: readonly PromptStep[], feed: Candidate | null, onBest?: OnBest): Promise<Answer> {
    const held = heldByMask(steps);
    const heldBack = (best: Candidate | null): best is Candidate =>
      held && best !== null && disobeys(best.patch, steps);
    const answer = await this.decode(steps, feed, (best) => {
      if (!heldBack(best)) onBest?.(best);
    });
    const best = bestOf(answer.candidates);
    if (!heldBack(best)) return { ...answer, letGo: false };
    return { ...(await this.decode(steps, best, onBest)), letGo: true };
  }

  private async decode(steps: readonly PromptStep[], feed: Candidate | null, onBest?: OnBest): Promise<Decoded> {
    const { imageId, segmenter, timings } = this.options;
    const answer = await segmenter.decode({ imageId, ...promptsOf(steps), feed, purpose: "prompt" }, onBest);
    timings.answered(answer);
    return answer;
  }
}
