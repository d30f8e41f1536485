import type { ChangesAnswer, ImageRecord, Task, User } from "../api/types";
import type { Journal } from "../core/journal";
import type { Timings } from "../core/latency";
import type { Segmenter } from "../segmenter/segmenter";
import type { DraftStore, Visit, VisitStore } from "../storage/database";
import type { VideoDesk } from "./videoDesk";
import type { ViewState } from "./viewState";

/** What a session on one image needs of the world around it. */
export interface SessionOptions {
  readonly image: ImageRecord;
  /** The masks as the server had them, and the moment from which to ask for changes. */
  readonly loaded: ChangesAnswer;
  /** What an earlier visit in this browser left behind. */
  readonly visit: Visit | null;
  readonly stage: string;
  readonly user: User;
  readonly task: Task | null;
  readonly mayEdit: boolean;
  readonly segmenter: Segmenter;
  readonly journal: Journal;
  readonly drafts: DraftStore;
  readonly visits: VisitStore;
  readonly timings: Timings;
  readonly view: ViewState;
  /** Where the image is a frame: the video it belongs to. */
  readonly video: VideoDesk | null;
  /** Knows when "submit and next" was pressed for the image before; null when it was not. */
  readonly next: { finish(now: number): number | null };
}
