import type { MaskRecord } from "../api/types";
import type { Draft, PromptStep } from "../core/draft";
import type { Box } from "../core/geometry";
import type { Journal } from "../core/journal";
import type { MaskItem } from "../core/maskStore";
import { patchArea } from "../core/patch";
import { decodePatch } from "../core/rle";
import type { Candidate } from "../segmenter/segmenter";

/** A mask from the server as the editor holds it. Throws RleError if its run lengths are damaged. */
export function itemFromRecord(record: MaskRecord): MaskItem {
  const patch = decodePatch(record.segmentation);
  return {
    id: record.id,
    segmentation: record.segmentation,
    patch,
    area: record.area ?? patchArea(patch),
    // Who is shown a mask for comparison only has made it: here it counts.
    status: record.status === "compared" ? "accepted" : record.status,
    category: record.category,
    source: record.source,
    stage: record.stage,
    parent: record.parent,
    predictedIou: record.predicted_iou,
    stability: record.stability_score,
    prompts: record.prompts,
    candidates: record.candidates,
    chosen: record.chosen,
    model: record.model,
    seconds: record.seconds,
    edits: record.edits,
    createdBy: record.created_by ?? "",
    track: record.track,
  };
}

/**
 * What a PUT sends. Area, box and author are the server's to say; what is not proposed again is accepted. `parent` is
 * the server's id of the parent.
 */
export function bodyFromItem(item: MaskItem, imageId: number, taskId: number | null, parent: string | null) {
  return {
    image: imageId,
    segmentation: item.segmentation,
    category: item.category,
    stage: item.stage || undefined,
    // Only an import may say "imported"; whoever changes such a mask vouches for it.
    source: item.source === "imported" ? "hand" : item.source,
    parent,
    prompts: item.prompts,
    candidates: item.candidates,
    chosen: item.chosen,
    predicted_iou: item.predictedIou,
    stability_score: item.stability,
    point_coords: pointCoords(item.prompts),
    model: item.model,
    seconds: Math.round(item.seconds * 100) / 100,
    edits: item.edits,
    task: taskId,
    // Undo of keeping or correcting a proposal: nobody vouches for it again.
    proposed: item.status === "proposed" || undefined,
    // The server gives a correction the track of what it corrects.
    track: parent === null ? (item.track ?? undefined) : undefined,
  };
}

/** A mask that waits in the journal, made visible again after a reload. */
export function itemFromBody(id: string, body: Record<string, unknown>, author: string): MaskItem {
  const sent = body as unknown as ReturnType<typeof bodyFromItem>;
  const patch = decodePatch(sent.segmentation);
  return {
    id,
    segmentation: sent.segmentation,
    patch,
    area: patchArea(patch),
    status: sent.proposed ? "proposed" : "accepted",
    category: sent.category,
    source: sent.source,
    stage: sent.stage ?? "",
    parent: sent.parent,
    predictedIou: sent.predicted_iou,
    stability: sent.stability_score,
    prompts: sent.prompts,
    candidates: sent.candidates,
    chosen: sent.chosen,
    model: sent.model,
    seconds: sent.seconds,
    edits: sent.edits,
    createdBy: author,
    track: sent.track ?? null,
  };
}

/** What an editor begins with: the server's masks, and over them what this browser has not told the server yet. */
export function firstMasks(
  records: readonly MaskRecord[],
  journal: Pick<Journal, "pendingOf" | "problemsOf">,
  imageId: number,
  author: string,
): ReadonlyMap<string, MaskItem> {
  const current = records.filter((record) => record.status !== "superseded").map(itemFromRecord);
  const items = new Map(current.map((item) => [item.id, item]));
  const waiting = [...journal.pendingOf(imageId), ...journal.problemsOf(imageId)].sort((a, b) => a.seq - b.seq);
  for (const op of waiting) {
    const known = items.get(op.maskId);
    if (op.kind === "put" && op.body) {
      const item = itemFromBody(op.maskId, op.body, author);
      const parent = item.parent === null ? undefined : items.get(item.parent);
      if (item.parent) items.delete(item.parent);
      items.set(item.id, { ...item, track: item.track ?? parent?.track ?? null });
    } else if (known) {
      items.set(known.id, { ...known, status: op.kind === "delete" ? "deleted" : "accepted" });
    }
  }
  return items;
}

/** The candidates that were on the screen, without their pixels: enough to study how people choose. */
export function candidateRecords(candidates: readonly Candidate[]): Record<string, unknown>[] {
  return candidates.map((one) => ({
    token: one.token,
    predicted_iou: round(one.predictedIou),
    stability_score: round(one.stability),
    area: one.area,
    bbox: [one.patch.x, one.patch.y, one.patch.width, one.patch.height],
  }));
}

/** Draft that goes on from a saved mask: its prompts if they can be given again, else its pixels for the brush. */
export function draftFromItem(item: MaskItem): Draft {
  const steps = item.source === "model" ? stepsFromPrompts(item.prompts) : [];
  const edited = steps.length > 0 ? null : item.patch;
  return { steps, chosen: item.chosen, parent: item.id, edited, edits: 0 };
}

function stepsFromPrompts(prompts: readonly unknown[]): PromptStep[] {
  const steps: PromptStep[] = [];
  for (const raw of prompts) {
    const prompt = raw as { type?: unknown; x?: unknown; y?: unknown; label?: unknown; fed?: unknown } & Partial<Box>;
    if (prompt.type === "point" && typeof prompt.x === "number" && typeof prompt.y === "number") {
      const fed = typeof prompt.fed === "number" ? prompt.fed : null;
      steps.push({ kind: "point", x: prompt.x, y: prompt.y, label: prompt.label === 0 ? 0 : 1, fed });
    } else if (prompt.type === "box") {
      const { x0 = 0, y0 = 0, x1 = 0, y1 = 0 } = prompt;
      steps.push({ kind: "box", box: { x0, y0, x1, y1 }, fed: null });
    } else {
      return [];
    }
  }
  return steps;
}

function pointCoords(prompts: readonly unknown[]): number[][] | null {
  const points = prompts
    .map((raw) => raw as Record<string, unknown>)
    .filter((prompt) => prompt.type === "point" && prompt.label === 1)
    .map((prompt) => [Number(prompt.x), Number(prompt.y)]);
  return points.length > 0 ? points : null;
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000;
