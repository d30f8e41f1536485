import type { ApiError } from "../api/client";
import type { Sending, SendingEvents } from "../api/tusUpload";
import type { UploadRecord, UploadsAnswer } from "../api/types";

export type UploadState =
  | "waiting"
  | "sending"
  | "paused"
  /** The connection is gone, or the server refused; what has arrived is kept. */
  | "broken"
  /** Half of it is on the server, and the page was loaded anew: the file has to be chosen again to go on. */
  | "interrupted"
  | "checking"
  | "done"
  | "failed";

export interface UploadItem {
  readonly key: string;
  readonly name: string;
  readonly size: number;
  readonly state: UploadState;
  /** 0..1 of what it is doing: sending or checking. */
  readonly share: number;
  readonly message: string;
  readonly record: UploadRecord | null;
}

/** What the queue needs from outside; tests bring their own. */
export interface UploadPorts {
  send(file: File, metadata: Record<string, string>, address: string | null, events: SendingEvents): Sending;
  list(since: string | null): Promise<UploadsAnswer>;
  remove(id: string): Promise<void>;
}

interface Entry extends UploadItem {
  readonly file: File | null;
  readonly address: string | null;
  readonly sending: Sending | null;
}

const PARALLEL = 3;
const POLL = 1200;
const OPEN: readonly UploadState[] = ["waiting", "sending", "checking"];
/** What can never be a picture, a video or an archive of them is not sent at all. */
const NOT_PICTURES = /^(audio|text)\/|pdf$/;
const NOISE = /^(\.DS_Store|Thumbs\.db|desktop\.ini|\._.*)$/;

/**
 * The files of one dataset on their way in. It lives as long as the page, whatever part of it is shown, and what the
 * server tells of uploads of before is part of it: a file that is chosen again goes on where it stopped.
 */
export class UploadQueue {
  private entries: readonly Entry[] = [];
  private readonly rights = new Map<string, Record<string, string>>();
  private readonly listeners = new Set<() => void>();
  private shown: readonly UploadItem[] = [];
  private since: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private loading: Promise<void> | null = null;
  private frameLimit: number | null = null;

  constructor(
    private readonly ports: UploadPorts,
    /** New pictures may be there. */
    private readonly onArrived: () => void,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly items = (): readonly UploadItem[] => this.shown;

  /** So many frames of one video are taken at the most; null until the server has told. */
  readonly maxVideoFrames = (): number | null => this.frameLimit;

  /** Asks once what the server knows. */
  load(): Promise<void> {
    this.loading ??= this.refresh().catch(() => {
      this.loading = null;
    });
    return this.loading;
  }

  /** `path` is the place inside a folder that was chosen, else the name. `rights` or a format go with every file. */
  async add(files: readonly { file: File; path: string }[], rights: Record<string, string> = {}): Promise<void> {
    await this.load();
    for (const { file, path } of files) {
      if (NOISE.test(file.name)) continue;
      const key = fingerprintOf(file, path);
      const known = this.entries.find((entry) => entry.key === key && entry.size === file.size);
      if (known && known.state !== "done" && known.state !== "failed") {
        if (known.file === null) this.change(known.key, { file, state: "waiting", message: "" });
        continue;
      }
      if (known) this.drop(known.key);
      const refused = NOT_PICTURES.test(file.type)
        ? "This is neither a picture, nor a video, nor an archive of them."
        : "";
      const blank = { size: file.size, share: 0, record: null, address: null, sending: null };
      const entry: Entry = { ...blank, key, name: path, file, state: refused ? "failed" : "waiting", message: refused };
      this.rights.set(key, rights);
      this.entries = [...this.entries, entry];
    }
    this.pump();
    this.publish();
  }

  pause(key: string): void {
    const entry = this.find(key);
    if (!entry || (entry.state !== "sending" && entry.state !== "waiting")) return;
    entry.sending?.pause();
    this.change(key, { state: "paused", sending: null });
    this.pump();
  }

  /** Goes on with what was paused or broken. */
  resume(key: string): void {
    const entry = this.find(key);
    if (!entry?.file || (entry.state !== "paused" && entry.state !== "broken")) return;
    this.change(key, { state: "waiting", message: "" });
    this.pump();
  }

  pauseAll(): void {
    // Those that wait first: else each pause would start one of them.
    for (const state of ["waiting", "sending"]) {
      for (const entry of this.entries) if (entry.state === state) this.pause(entry.key);
    }
  }

  resumeAll(): void {
    for (const entry of this.entries) this.resume(entry.key);
  }

  /** The network is back. */
  resumeBroken(): void {
    for (const entry of this.entries) if (entry.state === "broken") this.resume(entry.key);
  }

  /** Stops an upload for good, or takes one off the list. */
  async remove(key: string): Promise<void> {
    const entry = this.find(key);
    if (!entry) return;
    entry.sending?.pause();
    this.drop(key);
    this.pump();
    const id = entry.record?.id ?? entry.address?.split("/").at(-2);
    if (id) await this.ports.remove(id).catch(() => undefined);
  }

  /** Takes everything off the list that has ended. */
  async clear(): Promise<void> {
    const ended = this.entries.filter((entry) => entry.state === "done" || entry.state === "failed");
    for (const entry of ended) await this.remove(entry.key);
  }

  private pump(): void {
    let free = PARALLEL - this.entries.filter((entry) => entry.state === "sending").length;
    for (const entry of this.entries) {
      if (free <= 0) return;
      if (entry.state !== "waiting" || !entry.file) continue;
      free -= 1;
      this.start(entry, entry.file);
    }
  }

  private start(entry: Entry, file: File): void {
    const { key } = entry;
    const metadata = { filename: file.name, fingerprint: key, ...this.rights.get(key) };
    this.change(key, { state: "sending", message: "" });
    const sending = this.ports.send(file, metadata, entry.address, {
      onAddress: (address) => this.change(key, { address }),
      onProgress: (sent) => this.change(key, { share: file.size ? sent / file.size : 1 }),
      onArrived: () => {
        this.change(key, { state: "checking", share: 0, sending: null, file: null });
        this.pump();
        this.poll(0);
      },
      onBroken: (error) => this.broke(key, error),
    });
    this.change(key, { sending });
  }

  private broke(key: string, error: ApiError): void {
    // Gone from the server meanwhile: from the start then.
    const gone = error.status === 404 || error.status === 410;
    this.change(key, { state: "broken", message: error.message, sending: null, ...(gone ? { address: null } : {}) });
    this.pump();
  }

  private poll(delay: number): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.refresh()
        .catch(() => undefined)
        .finally(() => {
          if (this.entries.some((entry) => entry.state === "checking")) this.poll(POLL);
        });
    }, delay);
  }

  private async refresh(): Promise<void> {
    const answer = await this.ports.list(this.since);
    this.since = answer.at;
    this.frameLimit = answer.max_video_frames;
    let added = false;
    for (const record of answer.uploads) {
      const before = this.entries.find(
        (entry) => entry.record?.id === record.id || entry.address === addressOf(record),
      );
      const news = record.added > (before?.record?.added ?? 0) || (record.job !== null && !before?.record?.job);
      added ||= news && before !== undefined;
      this.merge(record, before);
    }
    this.publish();
    if (added) this.onArrived();
    if (this.entries.some((entry) => entry.state === "checking")) this.poll(POLL);
  }

  private merge(record: UploadRecord, before: Entry | undefined): void {
    const mine = before?.file !== null && before !== undefined;
    if (mine && record.state === "receiving") return; // this page is sending it and knows better
    const state = STATES[record.state];
    const share = state === "interrupted" ? record.received / Math.max(1, record.byte_size) : record.progress;
    const entry: Entry = {
      key: before?.key ?? (record.fingerprint || record.id),
      name: before?.name ?? record.file_name,
      size: record.byte_size,
      message: "",
      file: null,
      sending: null,
      address: addressOf(record),
      record,
      state,
      share,
    };
    if (before) this.change(before.key, entry);
    else this.entries = [...this.entries, entry];
  }

  private find(key: string): Entry | undefined {
    return this.entries.find((entry) => entry.key === key);
  }

  private drop(key: string): void {
    this.entries = this.entries.filter((entry) => entry.key !== key);
    this.publish();
  }

  private change(key: string, part: Partial<Entry>): void {
    this.entries = this.entries.map((entry) => (entry.key === key ? { ...entry, ...part } : entry));
    this.publish();
  }

  private publish(): void {
    this.shown = this.entries;
    for (const listener of this.listeners) listener();
  }
}

const STATES: Record<UploadRecord["state"], UploadState> = {
  receiving: "interrupted",
  arrived: "checking",
  done: "done",
  failed: "failed",
};

const addressOf = (record: UploadRecord): string => `/api/uploads/${record.id}/`;

/** Tells the same file again after a reload: place, size and when it was changed last. */
export const fingerprintOf = (file: File, path: string): string =>
  `${path.slice(-150)}|${file.size}|${file.lastModified}`;

export const isOpen = (item: UploadItem): boolean => OPEN.includes(item.state);
