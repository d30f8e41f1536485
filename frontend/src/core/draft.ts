import type { Box, ImagePoint } from "./geometry";
import type { Patch } from "./patch";

/** The decoder token (0..3) of the candidate on the screen when a prompt was given, whose logits go in; null: none. */
export type Fed = number | null;

/** One prompt of a half-made mask. With `fed` a draft is a recipe that decodes to the same mask after undo or reload. */
export type PromptStep =
  | { readonly kind: "point"; readonly x: number; readonly y: number; readonly label: 0 | 1; readonly fed: Fed }
  | { readonly kind: "box"; readonly box: Box; readonly fed: Fed };

/** The mask in the making: what was asked, which answer is chosen, what was painted on it. */
export interface Draft {
  readonly steps: readonly PromptStep[];
  /** Place in the strip of the candidate that the person picked; null: the best one. */
  readonly chosen: number | null;
  /** The saved mask that this one will correct. */
  readonly parent: string | null;
  /** Result of brush and eraser; once there it is the mask, whatever the decoder says. */
  readonly edited: Patch | null;
  readonly edits: number;
}

export const EMPTY_DRAFT: Draft = { steps: [], chosen: null, parent: null, edited: null, edits: 0 };

export const isEmptyDraft = (draft: Draft): boolean => draft.steps.length === 0 && draft.edited === null;

export interface Prompts {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly labels: readonly (0 | 1)[];
  readonly box: Box | null;
}

/** The prompts that the steps add up to; a later box replaces an earlier one. */
export function promptsOf(steps: readonly PromptStep[]): Prompts {
  const points: { x: number; y: number }[] = [];
  const labels: (0 | 1)[] = [];
  let box: Box | null = null;
  for (const step of steps) {
    if (step.kind === "box") {
      box = step.box;
    } else {
      points.push({ x: step.x, y: step.y });
      labels.push(step.label);
    }
  }
  return { points, labels, box };
}

export function withPoint(draft: Draft, point: ImagePoint, label: 0 | 1, fed: Fed): Draft {
  return { ...draft, steps: [...draft.steps, { kind: "point", x: point.x, y: point.y, label, fed }], chosen: null };
}

/** A box starts over: what the earlier prompts gave is not fed into it. */
export function withBox(draft: Draft, box: Box): Draft {
  return { ...draft, steps: [...draft.steps, { kind: "box", box, fed: null }], chosen: null };
}

/** The same prompts in the form of the mask record. */
export function promptRecord(steps: readonly PromptStep[]): Record<string, unknown>[] {
  return steps.map((step) =>
    step.kind === "box"
      ? { type: "box", x0: step.box.x0, y0: step.box.y0, x1: step.box.x1, y1: step.box.y1 }
      : { type: "point", x: step.x, y: step.y, label: step.label, fed: step.fed },
  );
}

/** Tells two step lists apart; equal keys decode to equal candidates. */
export const stepsKey = (steps: readonly PromptStep[]): string => JSON.stringify(steps);
