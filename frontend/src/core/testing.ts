import type { MaskItem } from "./maskStore";
import { EMPTY_PATCH } from "./patch";

/** For tests: a mask without pixels. Its run lengths are its id, so that two masks are never taken for the same. */
export function maskItem(id: string, part: Partial<MaskItem> = {}): MaskItem {
  return {
    id,
    segmentation: { size: [4, 4], counts: id },
    patch: EMPTY_PATCH,
    area: 1,
    status: "accepted",
    category: "",
    source: "model",
    stage: "assisted",
    parent: null,
    predictedIou: null,
    stability: null,
    prompts: [],
    candidates: [],
    chosen: null,
    model: "",
    seconds: 0,
    edits: 0,
    createdBy: "ben",
    track: null,
    ...part,
  };
}
