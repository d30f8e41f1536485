import { ApiError } from "../api/client";
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
/** Lists of thousands are drawn, so a change is told once per frame, however many there were. */
const NEXT_FRAME = (work: () => void): void => void requestAnimationFrame(work);
const OPEN: readonly UploadState[] = ["waiting", "sending", "checking"];
/** What can never be a picture, a video or an archive of them is not sent at all. */
const NOT_PICTURES = /^(audio|text)\/|pdf$/;
const NOISE = /^(\.DS_Store|Thumbs\.db|desktop\.ini|\._.*)$/;

/**
 * The files of one dataset on their way in. It lives as long as the page, whatever part of it is shown, and what the
 * server tells of uploads of before is part of it: a file that is chosen again goes on where it stopped.
 */
export class UploadQueue {
  /** By key, in the order in which they came. */
  private readonly entries = new Map<string, Entry>();
  /** The keys of those in each state, and by their address: nothing looks through thousands for the one it is about. */
  private readonly inState = new Map<UploadState, Set<string>>();
  private readonly byAddress = new Map<string, string>();
  private readonly rights = new Map<string, Record<string, string>>();
  private readonly listeners = new Set<() => void>();
  private shown: readonly UploadItem[] = [];
  private since: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private loading: Promise<void> | null = null;
  private frameLimit: number | null = null;
  private publishing = false;
  private closed = false;

  constructor(
    private readonly ports: UploadPorts,
    /** New pictures may be there. */
    private readonly onArrived: () => void,
    private readonly nextFrame = NEXT_FRAME,
  ) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly items = (): readonly UploadItem[] => this.shown;

  /** So many frames of one video are taken at the most; null until the server has told. */
  readonly maxVideoFrames = (): number | null => this.frameLimit;

  /** Something would be cut off now. */
  isSending(): boolean {
    return this.keysIn("sending").size + this.keysIn("waiting").size > 0;
  }

  /** Stops everything and forgets it; what has arrived is kept on the server. Nothing moves in it any more. */
  close(): void {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    for (const entry of this.entries.values()) entry.sending?.pause();
    for (const key of [...this.entries.keys()]) this.drop(key);
  }

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
    if (this.closed) return;
    for (const { file, path } of files) {
      if (NOISE.test(file.name)) continue;
      const key = fingerprintOf(file, path);
      const known = this.entries.get(key);
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
      this.put(entry);
    }
    this.pump();
  }

  pause(key: string): void {
    const entry = this.entries.get(key);
    if (!entry || (entry.state !== "sending" && entry.state !== "waiting")) return;
    entry.sending?.pause();
    this.change(key, { state: "paused", sending: null });
    this.pump();
  }

  /** Goes on with what was paused or broken. */
  resume(key: string): void {
    const entry = this.entries.get(key);
    if (!entry?.file || (entry.state !== "paused" && entry.state !== "broken")) return;
    this.change(key, { state: "waiting", message: "" });
    this.pump();
  }

  pauseAll(): void {
    // Those that wait first: else each pause would start one of them.
    for (const state of ["waiting", "sending"] as const) {
      for (const key of [...this.keysIn(state)]) this.pause(key);
    }
  }

  resumeAll(): void {
    for (const key of [...this.entries.keys()]) this.resume(key);
  }

  /** The network is back. */
  resumeBroken(): void {
    for (const key of [...this.keysIn("broken")]) this.resume(key);
  }

  /** Stops an upload for good, or takes one off the list. */
  async remove(key: string): Promise<void> {
    const entry = this.entries.get(key);
    if (!entry) return;
    entry.sending?.pause();
    this.drop(key);
    this.pump();
    const id = entry.record?.id ?? entry.address?.split("/").at(-2);
    if (id) await this.ports.remove(id).catch(() => undefined);
  }

  /** Takes everything off the list that has ended. */
  async clear(): Promise<void> {
    for (const key of [...this.keysIn("done"), ...this.keysIn("failed")]) await this.remove(key);
  }

  private pump(): void {
    for (const key of this.keysIn("waiting")) {
      if (this.keysIn("sending").size >= PARALLEL) return;
      const entry = this.entries.get(key);
      if (entry?.file) this.start(entry, entry.file);
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
    if (this.timer !== null || this.closed) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.refresh().catch((error) => {
        // Signed out, or no longer of this dataset: whoever comes back to the list has it asked anew.
        if (error instanceof ApiError && error.refused) this.loading = null;
        else this.poll(POLL);
      });
    }, delay);
  }

  private async refresh(): Promise<void> {
    const answer = await this.ports.list(this.since);
    if (this.closed) return;
    this.since = answer.at;
    this.frameLimit = answer.max_video_frames;
    let added = false;
    for (const record of answer.uploads) {
      const before = this.entries.get(this.byAddress.get(addressOf(record)) ?? "");
      const news = record.added > (before?.record?.added ?? 0) || (record.job !== null && !before?.record?.job);
      added ||= news && before !== undefined;
      this.merge(record, before);
    }
    this.publish();
    if (added) this.onArrived();
    if (this.keysIn("checking").size > 0) this.poll(POLL);
  }

  private merge(record: UploadRecord, before: Entry | undefined): void {
    const mine = before?.file !== null && before !== undefined;
    if (mine && record.state === "receiving") return; // this page is sending it and knows better
    const state = STATES[record.state];
    const share = state === "interrupted" ? record.received / Math.max(1, record.byte_size) : record.progress;
    // The same file may have been sent twice.
    const own = record.fingerprint !== "" && !this.entries.has(record.fingerprint);
    this.put({
      key: before?.key ?? (own ? record.fingerprint : record.id),
      name: before?.name ?? record.file_name,
      size: record.byte_size,
      message: "",
      file: null,
      sending: null,
      address: addressOf(record),
      record,
      state,
      share,
    });
  }

  private keysIn(state: UploadState): Set<string> {
    const keys = this.inState.get(state) ?? new Set();
    this.inState.set(state, keys);
    return keys;
  }

  private put(entry: Entry): void {
    const before = this.entries.get(entry.key);
    if (before && before.state !== entry.state) this.keysIn(before.state).delete(entry.key);
    if (before?.address && before.address !== entry.address) this.byAddress.delete(before.address);
    this.entries.set(entry.key, entry);
    this.keysIn(entry.state).add(entry.key);
    if (entry.address) this.byAddress.set(entry.address, entry.key);
    this.publish();
  }

  private drop(key: string): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.entries.delete(key);
    this.keysIn(entry.state).delete(key);
    if (entry.address) this.byAddress.delete(entry.address);
    this.publish();
  }

  private change(key: string, part: Partial<Entry>): void {
    const entry = this.entries.get(key);
    if (entry) this.put({ ...entry, ...part });
  }

  private publish(): void {
    if (this.publishing) return;
    this.publishing = true;
    this.nextFrame(() => {
      this.publishing = false;
      this.shown = [...this.entries.values()];
      for (const listener of this.listeners) listener();
    });
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
