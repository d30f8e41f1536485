/** The API's records as the pages use them. */

export interface User {
  id: number;
  username: string;
  name: string;
}

export interface Session {
  user: User | null;
  demo: { username: string; password: string } | null;
}

export type Role = "lead" | "reviewer" | "annotator" | "viewer";

export interface Dataset {
  id: number;
  name: string;
  description: string;
  role: Role;
  stage: string;
  licence: string;
  image_count: number;
  mask_count: number;
  auto_retrain: boolean;
  retrain_after: number;
  created_at: string;
  progress: { open: number; claimed: number; submitted: number; skipped: number };
  cover: string | null;
}

export interface Member {
  id: number;
  username: string;
  role: Role;
}

export interface ImageRecord {
  id: number;
  dataset: number;
  file_name: string;
  width: number;
  height: number;
  split: "train" | "validation" | "held_out";
  licence: string;
  credit: string;
  file_url: string;
  thumbnail_url: string;
  overlay_url?: string | null;
  mask_count: number;
  task_state: "open" | "claimed" | "submitted" | "skipped" | null;
  readiness: "ready" | "pending" | "failed" | "absent";
  created_at: string;
}

export interface Page<T> {
  next: string | null;
  previous: string | null;
  results: T[];
}

export interface UploadReport {
  accepted: ImageRecord[];
  duplicates: { name: string; image: ImageRecord | number }[];
  rejected: { name: string; code: string; message: string }[];
}

export interface MaskRecord {
  id: string;
  image: number;
  segmentation: { size: [number, number]; counts: string };
  bbox: [number, number, number, number];
  area: number;
  category: string;
  stage: string;
  source: "model" | "model_edited" | "hand" | "imported";
  status: "accepted" | "superseded" | "deleted" | "proposed";
  parent: string | null;
  prompts: unknown[];
  candidates: unknown[];
  chosen: number | null;
  predicted_iou: number | null;
  stability_score: number | null;
  crop_box: number[] | null;
  point_coords: number[][] | null;
  model: string;
  created_by: string | null;
  seconds: number;
  edits: number;
  created_at: string;
}

export interface Task {
  id: number;
  image: ImageRecord;
  kind: string;
  state: "open" | "claimed" | "submitted" | "skipped";
  lease: string | null;
  lease_expires_at: string | null;
  seconds: number;
  upcoming: number[];
}

export interface EmbeddingAnswer {
  state: "ready" | "pending" | "failed";
  message: string;
  url: string | null;
  model: string;
  layout: { name: string; shape: number[] }[];
  frame: { original_size: [number, number]; input_size: [number, number]; padded_size: [number, number] } | null;
  decoder_url: string | null;
  job: string | null;
}

export interface PredictAnswer {
  model: string;
  candidates: {
    segmentation: { size: [number, number]; counts: string };
    predicted_iou: number;
    stability_score: number;
    area: number;
    bbox: number[];
  }[];
}

export type JobState = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface Job {
  id: string;
  kind: string;
  title: string;
  state: JobState;
  progress: number;
  message: string;
  attempts: number;
  error: { code: string; message: string } | null;
  result: Record<string, unknown> | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export interface ModelVersion {
  digest: string;
  name: string;
  variant: string;
  parent: string | null;
  serving: boolean;
  state: string;
  metrics: Record<string, number | null> | null;
  created_at: string;
}

export interface TrainingRun {
  id: number;
  state: string;
  progress: number;
  message: string;
  curve: { step: number; loss: number; [metric: string]: number }[];
  snapshot: { digest: string; images: number; masks: number } | null;
  base: string | null;
  candidate: string | null;
  evaluations: { role: "candidate" | "serving"; digest: string; summary: Record<string, number | null> }[];
  decision: { kind: string; reason: string; numbers: Record<string, unknown> } | null;
  job: string | null;
  created_at: string;
  finished_at: string | null;
}

export interface Loop {
  new_masks: number;
  retrain_after: number;
  auto_retrain: boolean;
  held_out_masks: number;
  held_out_needed: number;
  train_masks: number;
  can_retrain: boolean;
  reasons: { code: string; message: string }[];
  serving: ModelVersion | null;
  open_run: TrainingRun | null;
}
