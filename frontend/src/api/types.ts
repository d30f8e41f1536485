import type { components } from "./schema";

/** The API's records. The shapes are generated from its schema (`npm run types`); only names are given here. */
type Schemas = components["schemas"];

/** Column-major run lengths in COCO's compressed form; size is [height, width]. The schema cannot say "a pair". */
interface Runs {
  size: [number, number];
  counts: string;
}

export type User = Schemas["UserOut"];
export type Session = Schemas["SessionOut"];
export type Role = Schemas["RoleEnum"];
export type Dataset = Schemas["DatasetOut"];
export type DatasetChange = Schemas["PatchedDatasetChangeInRequest"];
export type Member = Schemas["MemberOut"];
export type ImageRecord = Schemas["ImageOut"];
export type UploadRecord = Schemas["UploadItemOut"];
/** Pictures, or an archive with annotations for the import. */
export type UploadPurpose = "pictures" | "import";
export type UploadsAnswer = Schemas["UploadsOut"];
export type Refusal = Schemas["RefusalOut"];
export type Changed = Schemas["ChangedOut"];
export type Statistics = Schemas["StatisticsOut"];
export type Figures = Schemas["FiguresOut"];
export type NamedCount = Schemas["NamedOut"];
/** How the values of a deep picture are shown: annotation/ingest/depth.py. */
export interface DeepMapping {
  channels: number[];
  low: number[];
  high: number[];
  inverted: boolean;
  count: number;
  minimum: number[];
  maximum: number[];
}
export type MaskRecord = Omit<Schemas["MaskOut"], "segmentation"> & { segmentation: Runs };
export type VideoRecord = Schemas["VideoOut"];
/** Frames of a video, in short, and where the next page of them begins. */
export type Frames = Schemas["FramesOut"];
export type TrackRecord = Schemas["TrackOut"];
export type Task = Schemas["TaskOut"];
export type FinishedTask = Schemas["FinishedTaskOut"];
export type SubmitBody = Schemas["SubmitInRequest"];
export type SkipBody = Schemas["SkipInRequest"];
export type Feedback = Schemas["FeedbackOut"];
export type Agreement = Schemas["AgreementOut"];
export type Overlap = Schemas["OverlapOut"];
export type ConsensusChoice = Schemas["ConsensusChoiceEnum"];
export type Decision = Schemas["DecisionInRequest"];
export type Group = Schemas["GroupOut"];
export type GroupRole = Schemas["GroupRoleOut"];
type Pixels<T, K extends keyof T> = Omit<T, K> & { [Name in K]: Runs | null };
/** A mask that a search found, with its picture's size. */
export type FoundMask = Omit<Schemas["FoundMaskOut"], "segmentation"> & { segmentation: Runs };
export type Found = Omit<Schemas["FoundOut"], "results"> & { results: FoundMask[] };
export type VersionComparison = Schemas["VersionComparisonOut"];
export type ComparedImage = Schemas["ComparedImageOut"];
export type MaskIndex = Schemas["MaskIndexOut"];
export type Measurement = Schemas["MeasurementOut"];
export type MeasurementsState = Schemas["MeasurementsStateOut"];
export type MeasureFigures = Schemas["MeasureFiguresOut"];
export type Distribution = Schemas["DistributionOut"];
export type LengthUnit = Schemas["LengthUnitEnum"];
type Side = Omit<Schemas["SideOut"], "segmentation"> & { segmentation: Runs };
/** One object with the masks of both people. */
export type ConsensusObject = Omit<Schemas["ObjectPairOut"], "first" | "second"> & {
  first: Side | null;
  second: Side | null;
};
export type Consensus = Omit<Schemas["ConsensusOut"], "objects"> & { objects: ConsensusObject[] };
export type ReviewItem = Pixels<Schemas["ReviewItemOut"], "suggestion">;
export type ReviewRound = { items: ReviewItem[]; earlier: ReviewItem[] };
export type ReviewReason = Schemas["ReviewReasonEnum"];
export type ReviewSaid = Omit<Schemas["VerdictInRequest"], "suggestion"> & { suggestion?: Runs | null };
export type Reviews = Schemas["ReviewsOut"];
export type FeedbackItem = Pixels<
  Schemas["FeedbackItemOut"],
  "suggestion" | "before_segmentation" | "after_segmentation"
>;
export type Invitation = Schemas["InvitationOut"];
export type Webhook = Schemas["WebhookOut"];
export type WebhookMade = Schemas["WebhookMadeOut"];
export type WebhookEvent = Webhook["events"][number];
export type Delivery = Schemas["DeliveryOut"];
export type Event = Schemas["EventOut"];
export type ApiToken = Schemas["TokenOut"];
export type Proof = Schemas["ProofOut"];
export type Measured = Schemas["MeasuredOut"];
export type WorkFigures = Schemas["WorkFiguresOut"];
export type WaitingRow = Schemas["WaitingOut"];
export type TaskKind = Schemas["TaskKindEnum"];
export type Holder = Schemas["HolderOut"];
export type ChangesAnswer = Omit<Schemas["ChangesOut"], "masks"> & { masks: MaskRecord[] };
export type Category = Schemas["CategoryOut"];
export type PredictAnswer = Omit<Schemas["PredictOut"], "candidates"> & {
  candidates: (Omit<Schemas["PredictedOut"], "segmentation"> & { segmentation: Runs })[];
};
type Pair = [number, number];
interface Frame {
  original_size: Pair;
  input_size: Pair;
  padded_size: Pair;
}
export type EmbeddingAnswer = Omit<Schemas["EmbeddingOut"], "frame"> & { frame: Frame | null };
export type ValuesAnswer = Schemas["OwnValuesOut"];
export type Job = Omit<Schemas["JobOut"], "result"> & { result: Record<string, unknown> | null };
export type JobDetail = Schemas["JobDetailOut"];
export type Formats = Schemas["FormatsOut"];
export type ExportFormat = Schemas["ExportFormatOut"];
export type ImportFormat = Schemas["ImportFormatOut"];
export type ExportStart = Schemas["ExportInRequest"];
export type ExportFilter = Schemas["ExportFilterInRequest"];
export type DatasetVersion = Schemas["DatasetVersionOut"];
export type VersionDifference = Schemas["VersionDifferenceOut"];
export type ExportChoices = Schemas["ExportChoicesOut"];
export type ModelVersion = Schemas["ModelVersionOut"];
export type TrainingRun = Schemas["TrainingRunOut"];
export type Detector = Schemas["DetectorOut"];
export type Shadow = Schemas["ShadowOut"];
export type Gate = Schemas["GateOut"];
export type Comparison = Schemas["ComparisonOut"];
export type Difference = Schemas["DifferenceOut"];
export type Loop = Schemas["LoopOut"];
export type Retraining = Schemas["RetrainingOut"];
export type RetrainingChange = Schemas["PatchedRetrainingInRequest"];
export type Schedule = Schemas["ScheduleOut"];
export type MaskProvenance = Schemas["MaskProvenanceOut"];
export type ModelProvenance = Schemas["ModelProvenanceOut"];
export type DescentStep = Schemas["StepOut"];
export type RunBrief = Schemas["RunBriefOut"];
export type SnapshotUse = Schemas["UseOut"];
export type SnapshotImage = Schemas["SnapshotImageOut"];

export type Audits = Schemas["AuditsOut"];
export type Audit = Schemas["AuditOut"];
export type AuditStart = Schemas["AuditInRequest"];
export type Figure = Schemas["FigureOut"];
export type Stage = Schemas["StageEnum"];
export type Stages = Schemas["StagesOut"];
export type StageStep = Schemas["StageStepOut"];
export type StageCheck = Schemas["StageCheckOut"];
export type StageMove = Schemas["StageMoveOut"];
export type StageRuleChange = Schemas["PatchedStageRuleInRequest"];

export interface Page<T> {
  next: string | null;
  previous: string | null;
  results: T[];
}
