import { type Box, type ImagePoint, imagePoint, type Size } from "./geometry";
import { innermost, type Middle } from "./innermost";
import { type Patch, patchHas } from "./patch";
import { encodePatch, type Segmentation } from "./rle";

/** The decoder token (0..3) of the candidate on the screen when a prompt was given, whose logits go in; null: none. */
export type Fed = number | null;

/** One prompt of a half-made mask. With `fed` a draft is a recipe that decodes to the same mask after undo or reload. */
export type PromptStep =
  | { readonly kind: "point"; readonly x: number; readonly y: number; readonly label: 0 | 1; readonly fed: Fed }
  | { readonly kind: "box"; readonly box: Box; readonly fed: Fed }
  /** A rough mask and its middle. As run lengths, so that a list of steps stays plain data that can be kept and compared. */
  | { readonly kind: "mask"; readonly segmentation: Segmentation; readonly middle: Middle | null; readonly fed: null };

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
  /** The rough mask to start from, where no earlier answer is fed in. */
  readonly rough: Segmentation | null;
}

/**
 * The prompts that the steps add up to; a later box replaces an earlier one, a rough mask all that was before it. The
 * middle of a rough mask goes along as a click: the model learnt to improve a mask beside the clicks that led to it
 * (decision 13). It goes where a negative click says that the object is not there.
 */
export function promptsOf(steps: readonly PromptStep[]): Prompts {
  let points: { x: number; y: number }[] = [];
  let labels: (0 | 1)[] = [];
  let box: Box | null = null;
  let rough: Segmentation | null = null;
  let middle: Middle | null = null;
  for (const step of steps) {
    if (step.kind === "box") {
      box = step.box;
    } else if (step.kind === "mask") {
      middle = step.middle ?? null;
      [points, labels, box, rough] = [[], [], null, step.segmentation];
    } else {
      points.push({ x: step.x, y: step.y });
      labels.push(step.label);
      if (middle && step.label === 0 && isAt(middle, step)) middle = null;
    }
  }
  if (!middle) return { points, labels, box, rough };
  return { points: [{ x: middle.point.x, y: middle.point.y }, ...points], labels: [1, ...labels], box, rough };
}

const isAt = ({ point, depth }: Middle, { x, y }: { x: number; y: number }): boolean =>
  Math.hypot(x - point.x, y - point.y) < depth;

export function withPoint(draft: Draft, point: ImagePoint, label: 0 | 1, fed: Fed): Draft {
  return { ...draft, steps: [...draft.steps, { kind: "point", x: point.x, y: point.y, label, fed }], chosen: null };
}

/**
 * Whether a rough mask is what goes along with every prompt, and not the last answer (decision 13). It is let go of, for
 * good, once an answer disobeys a click: the prompts after that are fed.
 */
export function heldByMask(steps: readonly PromptStep[]): boolean {
  return lastMask(steps) >= 0 && sinceMask(steps).every((step) => step.fed === null);
}

/** Whether a mask leaves out a positive click, or holds a negative one, that was given since the last rough mask. */
export function disobeys(patch: Patch, steps: readonly PromptStep[]): boolean {
  return sinceMask(steps).some(
    (step) => step.kind === "point" && patchHas(patch, imagePoint(step.x, step.y)) !== (step.label === 1),
  );
}

const lastMask = (steps: readonly PromptStep[]): number => steps.findLastIndex((step) => step.kind === "mask");
const sinceMask = (steps: readonly PromptStep[]): readonly PromptStep[] => steps.slice(lastMask(steps) + 1);

/**
 * Points of one scribble, as clicks one after the other. The first ones of a mask are all asked at once; later ones go
 * in one by one, each fed with the single mask (token 0) that the one before gave.
 */
export function withPoints(draft: Draft, points: readonly ImagePoint[], label: 0 | 1, fed: Fed): Draft {
  const again = draft.steps.length === 0 || (fed === null && heldByMask(draft.steps)) ? null : 0;
  return points.reduce((all, point, index) => withPoint(all, point, label, index === 0 ? fed : again), draft);
}

/** What was painted, or a saved mask, becomes a prompt: a rough mask and its middle. */
export function withMask(draft: Draft, patch: Patch, size: Size): Draft {
  const segmentation = encodePatch(patch, [size.height, size.width]);
  const step: PromptStep = { kind: "mask", segmentation, middle: innermost(patch) ?? null, fed: null };
  return { ...draft, steps: [...draft.steps, step], chosen: null, edited: null };
}

/** A box starts over: what the earlier prompts gave is not fed into it. */
export function withBox(draft: Draft, box: Box): Draft {
  return { ...draft, steps: [...draft.steps, { kind: "box", box, fed: null }], chosen: null };
}

/** The same prompts in the form of the mask record; of a rough mask only that there was one. */
export function promptRecord(steps: readonly PromptStep[]): Record<string, unknown>[] {
  return steps.map((step): Record<string, unknown> => {
    if (step.kind === "mask") return { type: "mask" };
    if (step.kind === "point") return { type: "point", x: step.x, y: step.y, label: step.label, fed: step.fed };
    return { type: "box", x0: step.box.x0, y0: step.box.y0, x1: step.box.x1, y1: step.box.y1 };
  });
}

/** Tells two step lists apart; equal keys decode to equal candidates. */
export const stepsKey = (steps: readonly PromptStep[]): string => JSON.stringify(steps);
