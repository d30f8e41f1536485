import { useCallback, useRef, useState } from "react";
import { ApiError, messageOf } from "../../api/client";
import type { UploadReport } from "../../api/types";
import { uploadFile } from "../../api/upload";

export interface UploadItem {
  readonly id: number;
  readonly file: File;
  readonly state: "waiting" | "sending" | "done" | "failed";
  /** 0..1 while it is sent. */
  readonly progress: number;
  readonly report: UploadReport | null;
  readonly message: string;
}

export interface Uploads {
  readonly items: readonly UploadItem[];
  add(files: File[]): void;
  retry(id: number): void;
  clear(): void;
}

/** Two at a time: enough to fill a line, and the server can decode meanwhile. */
const PARALLEL = 2;

/** Sends files one request each, so that one bad file or a broken connection costs only itself. */
export function useUploads(dataset: number, onArrived: () => void): Uploads {
  const [items, setItems] = useState<readonly UploadItem[]>([]);
  const queue = useRef<UploadItem[]>([]);
  const running = useRef(0);
  const nextId = useRef(1);
  const arrived = useRef(onArrived);
  arrived.current = onArrived;

  const change = useCallback((id: number, part: Partial<UploadItem>) => {
    setItems((all) => all.map((item) => (item.id === id ? { ...item, ...part } : item)));
  }, []);

  const pump = useCallback(() => {
    while (running.current < PARALLEL) {
      const item = queue.current.shift();
      if (!item) return;
      running.current += 1;
      change(item.id, { state: "sending", progress: 0, message: "" });
      uploadFile<UploadReport>(`/api/datasets/${dataset}/images/`, "files", item.file, (progress) =>
        change(item.id, { progress }),
      )
        .then((report) => change(item.id, { state: "done", progress: 1, report }))
        .catch((error: unknown) => change(item.id, failure(error)))
        .finally(() => {
          running.current -= 1;
          arrived.current();
          pump();
        });
    }
  }, [dataset, change]);

  const enqueue = useCallback(
    (fresh: UploadItem[]) => {
      queue.current.push(...fresh);
      pump();
    },
    [pump],
  );

  return {
    items,
    add: (files) => {
      const fresh = files.map((file): UploadItem => {
        return { id: nextId.current++, file, state: "waiting", progress: 0, report: null, message: "" };
      });
      setItems((all) => [...all, ...fresh]);
      enqueue(fresh);
    },
    retry: (id) => {
      const item = items.find((one) => one.id === id);
      if (item) enqueue([item]);
    },
    clear: () => setItems((all) => all.filter((item) => item.state === "waiting" || item.state === "sending")),
  };
}

/** A refusal brings the same report as a success, in its details. */
function failure(error: unknown): Partial<UploadItem> {
  const details = error instanceof ApiError ? (error.details as Partial<UploadReport>) : {};
  const report = details.rejected
    ? { accepted: details.accepted ?? [], duplicates: details.duplicates ?? [], rejected: details.rejected }
    : null;
  return { state: "failed", report, message: messageOf(error) };
}
