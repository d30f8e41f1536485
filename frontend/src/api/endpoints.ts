import { request } from "./client";
import type {
  Agreement,
  ApiToken,
  Audit,
  AuditStart,
  Audits,
  Category,
  Changed,
  ChangesAnswer,
  Consensus,
  Dataset,
  DatasetChange,
  DatasetVersion,
  Decision,
  DeepMapping,
  Delivery,
  EmbeddingAnswer,
  Event,
  ExportChoices,
  ExportFilter,
  ExportStart,
  FeedbackItem,
  FinishedTask,
  Formats,
  Found,
  Group,
  GroupRole,
  ImageRecord,
  Invitation,
  Job,
  JobDetail,
  Loop,
  MaskIndex,
  MaskProvenance,
  MaskRecord,
  Measurement,
  MeasurementsState,
  Member,
  ModelProvenance,
  ModelVersion,
  Overlap,
  Page,
  PredictAnswer,
  Proof,
  Retraining,
  RetrainingChange,
  ReviewItem,
  ReviewRound,
  ReviewSaid,
  Reviews,
  Role,
  Session,
  Shadow,
  SkipBody,
  SnapshotImage,
  Stage,
  StageMove,
  StageRuleChange,
  StageStep,
  Stages,
  Statistics,
  SubmitBody,
  Task,
  TaskKind,
  TrainingRun,
  UploadPurpose,
  UploadRecord,
  UploadsAnswer,
  ValuesAnswer,
  VersionComparison,
  VersionDifference,
  VideoRecord,
  WaitingRow,
  Webhook,
  WebhookEvent,
  WebhookMade,
} from "./types";

/** Every route of the server that the pages use, one function each. */
export const api = {
  session: () => request<Session>("/api/session/", { anybody: true }),
  signIn: (username: string, password: string) =>
    request<Session>("/api/session/", { method: "POST", body: { username, password } }),
  signInElsewhere: (invitation?: string) =>
    request<{ url: string }>("/api/session/oidc/", { method: "POST", body: { invitation } }),
  signOut: () => request<void>("/api/session/", { method: "DELETE" }),

  datasets: (next: string | null) => page<Dataset>("/api/datasets/", next),
  dataset: (id: number) => request<Dataset>(`/api/datasets/${id}/`),
  createDataset: (body: { name: string; description: string; licence: string }) =>
    request<Dataset>("/api/datasets/", { method: "POST", body }),
  changeDataset: (id: number, body: DatasetChange) =>
    request<Dataset>(`/api/datasets/${id}/`, { method: "PATCH", body }),

  members: (dataset: number) => request<Page<Member> | Member[]>(`/api/datasets/${dataset}/members/`).then(listOf),
  addMember: (dataset: number, username: string, role: Role) =>
    request<Member>(`/api/datasets/${dataset}/members/`, { method: "POST", body: { username, role } }),
  changeMember: (dataset: number, member: number, body: { role?: Role; graduated?: boolean; active?: boolean }) =>
    request<Member>(`/api/datasets/${dataset}/members/${member}/`, { method: "PATCH", body }),
  removeMember: (dataset: number, member: number) =>
    request<void>(`/api/datasets/${dataset}/members/${member}/`, { method: "DELETE" }),

  /** `filter`: any of state and stage; empty ones do not count. */
  images: (dataset: number, filter: Record<string, string>, next: string | null) =>
    page<ImageRecord>(`/api/datasets/${dataset}/images/${queryOf(filter)}`, next),
  videos: (dataset: number, next: string | null) => page<VideoRecord>(`/api/datasets/${dataset}/videos/`, next),
  /** With its frames, their masks and its tracks. */
  removeVideo: (id: number) => request<void>(`/api/videos/${id}/`, { method: "DELETE" }),
  image: (id: number) => request<ImageRecord>(`/api/images/${id}/`),
  markGold: (id: number, gold: boolean) =>
    request<ImageRecord>(`/api/images/${id}/`, { method: "PATCH", body: { gold } }),
  /** The caller's uploads into a dataset; with `since`, the `at` of an earlier answer, only those that changed. */
  uploads: (dataset: number, since: string | null, purpose: UploadPurpose) =>
    request<UploadsAnswer>(
      `/api/datasets/${dataset}/uploads/${queryOf({ since, for: purpose === "import" ? purpose : null }, null)}`,
    ),
  /** With every reason. */
  upload: (id: string) => request<UploadRecord>(`/api/uploads/${id}/`),
  removeUpload: (id: string) =>
    request<void>(`/api/uploads/${id}/`, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } }),
  serverFolders: (dataset: number) => request<{ folders: string[] }>(`/api/datasets/${dataset}/server-folders/`),
  addServerFolder: (dataset: number, folder: string, rights: Record<string, string>) =>
    request<Job>(`/api/datasets/${dataset}/server-folders/`, { method: "POST", body: { folder, ...rights } }),
  addAddresses: (dataset: number, addresses: string[], rights: Record<string, string>) =>
    request<Job>(`/api/datasets/${dataset}/url-lists/`, { method: "POST", body: { addresses, ...rights } }),
  /** Rights of these images, of all with null; what is left out stays. */
  setRights: (dataset: number, images: number[] | null, fields: Record<string, string>) =>
    request<Changed>(`/api/datasets/${dataset}/rights/`, {
      method: "POST",
      body: { ...(images ? { images } : { all: true }), ...fields },
    }),
  removeForGood: (dataset: number, images: number[], reason: string) =>
    request<Changed>(`/api/datasets/${dataset}/removals/`, { method: "POST", body: { images, reason } }),
  mapValues: (image: number, body: Partial<DeepMapping>) =>
    request<Job>(`/api/images/${image}/mapping/`, { method: "POST", body }),
  statistics: (dataset: number) => request<Statistics>(`/api/datasets/${dataset}/statistics/`),
  countStatistics: (dataset: number) =>
    request<Statistics>(`/api/datasets/${dataset}/statistics/`, { method: "POST", body: {} }),
  datasheetUrl: (dataset: number) => `/api/datasets/${dataset}/datasheet/`,
  /** Masks that changed since the `at` of an earlier answer; without it all but the superseded ones. */
  changes: (image: number, since: string | null) =>
    request<ChangesAnswer>(`/api/images/${image}/changes/${since ? `?since=${encodeURIComponent(since)}` : ""}`),
  /** Who works on an image now; null: nobody. Asked without its masks: none has changed since now. */
  holder: (image: number) =>
    request<ChangesAnswer>(`/api/images/${image}/changes/?since=${encodeURIComponent(new Date().toISOString())}`).then(
      ({ task }) => task?.assignee ?? null,
    ),
  /** Every mask the image ever had, superseded and deleted ones too. */
  maskVersions: (image: number) =>
    request<Page<MaskRecord> | MaskRecord[]>(`/api/images/${image}/masks/?history=1`).then(listOf),
  mask: (id: string) => request<MaskRecord>(`/api/masks/${id}/`),
  maskHistory: (id: string) => request<Page<MaskRecord> | MaskRecord[]>(`/api/masks/${id}/history/`).then(listOf),
  categories: (dataset: number) =>
    request<Page<Category> | Category[]>(`/api/datasets/${dataset}/categories/`).then(listOf),
  embedding: (image: number, signal?: AbortSignal) =>
    request<EmbeddingAnswer>(`/api/images/${image}/embedding/`, { signal }),
  values: (image: number, again: boolean, signal?: AbortSignal) =>
    request<ValuesAnswer>(`/api/images/${image}/values/`, { method: again ? "POST" : "GET", signal }),
  predict: (image: number, body: Record<string, unknown>, signal?: AbortSignal) =>
    request<PredictAnswer>(`/api/images/${image}/predict/`, { method: "POST", body, signal }),

  findAlike: (image: number, sought: object) =>
    request<Job>(`/api/images/${image}/alike/`, { method: "POST", body: sought }),
  proposeAlike: (dataset: number, sought: object, threshold: number) =>
    request<Job>(`/api/datasets/${dataset}/alike/`, { method: "POST", body: { ...sought, threshold } }),

  putMask: (id: string, body: Record<string, unknown>) =>
    request<MaskRecord>(`/api/masks/${id}/`, { method: "PUT", body }),
  deleteMask: (id: string) => request<void>(`/api/masks/${id}/`, { method: "DELETE" }),
  restoreMask: (id: string) => request<MaskRecord>(`/api/masks/${id}/restore/`, { method: "POST", body: {} }),

  nextTask: (dataset: number, kind: TaskKind = "annotate") =>
    request<Task | undefined>(`/api/datasets/${dataset}/tasks/next/`, { method: "POST", body: { kind } }),
  task: (id: number) => request<Task>(`/api/tasks/${id}/`),
  claimTask: (image: number, kind: TaskKind) =>
    request<Task>(`/api/images/${image}/task/`, { method: "POST", body: { kind } }),
  renewTask: (id: number, lease: string) =>
    request<Task>(`/api/tasks/${id}/renew/`, { method: "POST", body: { lease } }),
  /** With the next task of a kind where one is asked for: going on takes one request. */
  submitTask: (id: number, body: SubmitBody) =>
    request<FinishedTask>(`/api/tasks/${id}/submit/`, { method: "POST", body }),
  skipTask: (id: number, body: SkipBody) => request<FinishedTask>(`/api/tasks/${id}/skip/`, { method: "POST", body }),
  releaseTask: (id: number, lease: string, seconds: number) =>
    request<Task>(`/api/tasks/${id}/release/`, { method: "POST", body: { lease, seconds }, keepalive: true }),

  loop: (dataset: number) => request<Loop>(`/api/datasets/${dataset}/loop/`),
  runs: (dataset: number) =>
    request<Page<TrainingRun> | TrainingRun[]>(`/api/datasets/${dataset}/training-runs/`).then(listOf),
  retraining: (dataset: number) => request<Retraining>(`/api/datasets/${dataset}/retraining/`),
  changeRetraining: (dataset: number, body: RetrainingChange) =>
    request<Retraining>(`/api/datasets/${dataset}/retraining/`, { method: "PATCH", body }),
  startRun: (dataset: number) =>
    request<TrainingRun>(`/api/datasets/${dataset}/training-runs/`, { method: "POST", body: {} }),
  models: (dataset: number) =>
    request<Page<ModelVersion> | ModelVersion[]>(`/api/datasets/${dataset}/models/`).then(listOf),
  modelProvenance: (dataset: number, digest: string) =>
    request<ModelProvenance>(`/api/datasets/${dataset}/models/${digest}/provenance/`),
  maskProvenance: (id: string) => request<MaskProvenance>(`/api/masks/${id}/provenance/`),
  snapshotImages: (dataset: number, digest: string, part: string, next: string | null) =>
    page<SnapshotImage>(`/api/datasets/${dataset}/snapshots/${digest}/images/${queryOf({ part })}`, next),
  restoreModel: (dataset: number, digest: string) =>
    request<ModelVersion>(`/api/datasets/${dataset}/models/${digest}/restore/`, { method: "POST", body: {} }),
  shadows: (dataset: number) => request<Shadow[]>(`/api/datasets/${dataset}/shadows/`),
  startShadow: (dataset: number, digest: string) =>
    request<Shadow>(`/api/datasets/${dataset}/models/${digest}/shadow/`, { method: "POST", body: {} }),

  stages: (dataset: number) => request<Stages>(`/api/datasets/${dataset}/stages/`),
  changeStageRule: (dataset: number, stage: Stage, body: StageRuleChange) =>
    request<StageStep>(`/api/datasets/${dataset}/stages/${stage}/`, { method: "PATCH", body }),
  moveStage: (dataset: number, to: Stage, note: string) =>
    request<StageMove>(`/api/datasets/${dataset}/stages/move/`, { method: "POST", body: { to, note } }),

  invitations: (dataset: number) => request<Invitation[]>(`/api/datasets/${dataset}/invitations/`),
  invite: (dataset: number, body: { role: Role; uses: number; days: number; note: string }) =>
    request<Invitation & { secret: string }>(`/api/datasets/${dataset}/invitations/`, { method: "POST", body }),
  revokeInvitation: (dataset: number, invitation: number) =>
    request<void>(`/api/datasets/${dataset}/invitations/${invitation}/`, { method: "DELETE" }),
  invitation: (secret: string) =>
    request<{ dataset_name: string; role: Role; invited_by: string | null; expires_at: string }>(
      `/api/invitations/${encodeURIComponent(secret)}/`,
    ),
  join: (secret: string, body: { username?: string; password?: string; name?: string }) =>
    request<{ dataset: number; role: Role }>(`/api/invitations/${encodeURIComponent(secret)}/`, {
      method: "POST",
      body,
    }),
  webhooks: (dataset: number) => request<Webhook[]>(`/api/datasets/${dataset}/webhooks/`),
  makeWebhook: (dataset: number, body: { url: string; events: WebhookEvent[] }) =>
    request<WebhookMade>(`/api/datasets/${dataset}/webhooks/`, { method: "POST", body }),
  changeWebhook: (
    dataset: number,
    webhook: number,
    body: { url?: string; events?: WebhookEvent[]; active?: boolean; new_secret?: boolean },
  ) => request<WebhookMade>(`/api/datasets/${dataset}/webhooks/${webhook}/`, { method: "PATCH", body }),
  removeWebhook: (dataset: number, webhook: number) =>
    request<void>(`/api/datasets/${dataset}/webhooks/${webhook}/`, { method: "DELETE" }),
  deliveries: (dataset: number, webhook: number) =>
    request<Delivery[]>(`/api/datasets/${dataset}/webhooks/${webhook}/deliveries/`),
  testWebhook: (dataset: number, webhook: number) =>
    request<Delivery>(`/api/datasets/${dataset}/webhooks/${webhook}/deliveries/`, { method: "POST", body: {} }),
  tokens: () => request<ApiToken[]>("/api/tokens/"),
  makeToken: (name: string) => request<ApiToken & { key: string }>("/api/tokens/", { method: "POST", body: { name } }),
  revokeToken: (id: number) => request<void>(`/api/tokens/${id}/`, { method: "DELETE" }),
  /** `filter`: any of actor, subject and id; empty ones do not count. */
  events: (dataset: number, filter: Record<string, string>, next: string | null) =>
    page<Event>(`/api/datasets/${dataset}/events/${queryOf(filter)}`, next),

  proof: (dataset: number) => request<Proof>(`/api/datasets/${dataset}/proof/`),
  waiting: () => request<WaitingRow[]>("/api/waiting/"),
  reviews: (dataset: number) => request<Reviews>(`/api/datasets/${dataset}/reviews/`),
  feedback: (dataset: number, next: string | null) => page<FeedbackItem>(`/api/datasets/${dataset}/feedback/`, next),
  taskReview: (task: number) => request<ReviewRound>(`/api/tasks/${task}/review/`),
  decideReview: (task: number, item: number, body: ReviewSaid) =>
    request<ReviewItem>(`/api/tasks/${task}/review/${item}/`, { method: "PUT", body }),
  remarkReview: (task: number, body: ReviewSaid) =>
    request<ReviewItem>(`/api/tasks/${task}/review/`, { method: "POST", body }),

  groups: () => request<Group[]>("/api/groups/"),
  makeGroup: (body: { name: string; people: string[] }) => request<Group>("/api/groups/", { method: "POST", body }),
  changeGroup: (id: number, body: { name?: string; people?: string[] }) =>
    request<Group>(`/api/groups/${id}/`, { method: "PATCH", body }),
  removeGroup: (id: number) => request<void>(`/api/groups/${id}/`, { method: "DELETE" }),
  datasetGroups: (dataset: number) => request<GroupRole[]>(`/api/datasets/${dataset}/groups/`),
  giveGroupRole: (dataset: number, group: number, role: Role) =>
    request<GroupRole>(`/api/datasets/${dataset}/groups/`, { method: "POST", body: { group, role } }),
  removeGroupRole: (dataset: number, group: number) =>
    request<void>(`/api/datasets/${dataset}/groups/${group}/`, { method: "DELETE" }),

  overlaps: (dataset: number, next: string | null) => page<Overlap>(`/api/datasets/${dataset}/overlaps/`, next),
  consensus: (task: number) => request<Consensus>(`/api/tasks/${task}/consensus/`),
  decideConsensus: (task: number, objects: Decision[]) =>
    request<Consensus>(`/api/tasks/${task}/consensus/`, { method: "POST", body: { objects } }),
  undoConsensus: (task: number, id: number) =>
    request<Consensus>(`/api/tasks/${task}/consensus/${id}/undo/`, { method: "POST", body: {} }),

  agreement: (dataset: number) => request<Agreement>(`/api/datasets/${dataset}/agreement/`),
  audits: (dataset: number) => request<Audits>(`/api/datasets/${dataset}/audits/`),
  startAudit: (dataset: number, body: AuditStart) =>
    request<Audit>(`/api/datasets/${dataset}/audits/`, { method: "POST", body }),
  closeAudit: (dataset: number, audit: number) =>
    request<Audit>(`/api/datasets/${dataset}/audits/${audit}/close/`, { method: "POST", body: {} }),

  jobs: (dataset: number, next: string | null, state = "") =>
    page<Job>(`/api/datasets/${dataset}/jobs/${queryOf({ state })}`, next),
  /** The newest exports and imports, however many pictures were prepared since. */
  transfers: (dataset: number) => request<Page<Job>>(`/api/datasets/${dataset}/jobs/?kind=export,import`),
  job: (id: string) => request<JobDetail>(`/api/jobs/${id}/`),
  cancelJob: (id: string) => request<Job>(`/api/jobs/${id}/cancel/`, { method: "POST", body: {} }),
  retryJob: (id: string) => request<Job>(`/api/jobs/${id}/retry/`, { method: "POST", body: {} }),

  versions: (dataset: number) => request<DatasetVersion[]>(`/api/datasets/${dataset}/versions/`),
  freezeVersion: (dataset: number, body: { note: string; filters: ExportFilter }) =>
    request<Job>(`/api/datasets/${dataset}/versions/`, { method: "POST", body }),
  versionChanges: (dataset: number, since: number, number: number) =>
    request<VersionDifference>(`/api/datasets/${dataset}/versions/${number}/changes/?since=${since}`),
  formats: () => request<Formats>("/api/formats/"),
  startExport: (dataset: number, body: ExportStart) =>
    request<Job>(`/api/datasets/${dataset}/exports/`, { method: "POST", body }),
  exportChoices: (dataset: number) => request<ExportChoices>(`/api/datasets/${dataset}/export-choices/`),
  /** How many images and masks these filters choose. */
  exportSize: (dataset: number, filters: ExportFilter) =>
    request<{ images: number; masks: number }>(`/api/datasets/${dataset}/export-choices/`, {
      method: "POST",
      body: filters,
    }),
  run: (id: number) => request<TrainingRun>(`/api/training-runs/${id}/`),
  comparisons: (dataset: number) => request<VersionComparison[]>(`/api/datasets/${dataset}/comparisons/`),
  startComparison: (dataset: number, body: { first: string; second: string; images: number[] }) =>
    request<VersionComparison>(`/api/datasets/${dataset}/comparisons/`, { method: "POST", body }),
  maskIndex: (dataset: number) => request<MaskIndex>(`/api/datasets/${dataset}/mask-index/`),
  describeMasks: (dataset: number) =>
    request<MaskIndex>(`/api/datasets/${dataset}/mask-index/`, { method: "POST", body: {} }),
  similarMasks: (mask: string) => request<Found>(`/api/masks/${mask}/similar/`),
  /** Of all categories with null. */
  unusualMasks: (dataset: number, category: string | null, inReview: boolean) =>
    request<Found>(
      `/api/datasets/${dataset}/unusual/${queryOf({ category, in_review: inReview ? "true" : null }, null)}`,
    ),
  /** `chosen`: of one image, of one category; with null of all. */
  measurements: (dataset: number, chosen: { image: string | null; category: string | null }, next: string | null) =>
    page<Measurement>(`/api/datasets/${dataset}/measurements/${queryOf(chosen, null)}`, next),
  measurementsUrl: (dataset: number, chosen: { image: string | null; category: string | null }) =>
    `/api/datasets/${dataset}/measurements/csv/${queryOf(chosen, null)}`,
  measurementFigures: (dataset: number) => request<MeasurementsState>(`/api/datasets/${dataset}/measurements/figures/`),
  measureMasks: (dataset: number) =>
    request<MeasurementsState>(`/api/datasets/${dataset}/measurements/figures/`, { method: "POST", body: {} }),
  setPixelSize: (image: number, metres: number | null) =>
    request<ImageRecord>(`/api/images/${image}/`, { method: "PATCH", body: { pixel_size: metres } }),
  decoderUrl: (digest: string) => `/api/models/${digest}/decoder/`,
  exportUrl: (job: string) => `/api/exports/${job}/download/`,
};

/** As a query without the words that are `unsaid`. For a category it is null: an empty one means masks without one. */
function queryOf(words: Record<string, string | null>, unsaid: "" | null = ""): string {
  const said = Object.entries(words).filter((entry): entry is [string, string] => entry[1] !== unsaid);
  const query = new URLSearchParams(said).toString();
  return query && `?${query}`;
}

/** Short lists come plain, long ones in pages. */
function listOf<T>(answer: Page<T> | T[]): T[] {
  return Array.isArray(answer) ? answer : answer.results;
}

/** A page of a list: the first, or the one that a link leads to. The link's host does not matter: a proxy may have another. */
function page<Row>(first: string, next: string | null): Promise<Page<Row>> {
  const url = new URL(next ?? first, window.location.origin);
  return request<Page<Row>>(url.pathname + url.search);
}
