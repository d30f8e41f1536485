import type { MaskRecord } from "../api/types";

/** For tests: a mask drawn by Rae as the server tells of it. */
export const maskRecord = (id: string, part: Partial<MaskRecord> & Pick<MaskRecord, "segmentation">): MaskRecord => ({
  id,
  image: 1,
  bbox: [0, 0, 1, 1],
  area: 50,
  category: "",
  crowd: false,
  stage: "assisted",
  source: "hand",
  status: "accepted",
  parent: null,
  prompts: [],
  candidates: [],
  chosen: null,
  predicted_iou: null,
  stability_score: null,
  crop_box: null,
  point_coords: null,
  model: "",
  task: null,
  created_by: "rae",
  seconds: 0,
  edits: 0,
  created_at: "2026-01-01T00:00:00Z",
  ...part,
});
