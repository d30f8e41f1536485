import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { type UploadItem, UploadQueue } from "../../actions/uploadQueue";
import { api } from "../../api/endpoints";
import { sendFile } from "../../api/tusUpload";
import type { UploadPurpose } from "../../api/types";

/** One queue per dataset and purpose as long as the page lives: files go on arriving whatever part of it is shown. */
const queues = new Map<string, UploadQueue>();

/** Whether leaving the page would cut a file off, whatever part of it is shown. */
export const isUploading = (): boolean => [...queues.values()].some((queue) => queue.isSending());

/** For the next person at this page: what one has chosen must not go in under another's name. */
export function closeUploads(): void {
  for (const queue of queues.values()) queue.close();
  queues.clear();
}

/** What is to be looked at again when a file has arrived. */
const CHANGED: Record<UploadPurpose, readonly string[]> = {
  pictures: ["images", "dataset", "videos"],
  import: ["jobs"],
};

export interface Uploads {
  readonly queue: UploadQueue;
  readonly items: readonly UploadItem[];
  /** Null until the server has told. */
  readonly maxVideoFrames: number | null;
}

export function useUploads(dataset: number, enabled: boolean, purpose: UploadPurpose = "pictures"): Uploads {
  const client = useQueryClient();
  const name = `${purpose} ${dataset}`;
  let queue = queues.get(name);
  if (!queue) {
    const endpoint = `/api/datasets/${dataset}/uploads/`;
    queue = new UploadQueue(
      {
        send: (file, metadata, address, events) => sendFile(endpoint, file, metadata, address, events),
        list: (since) => api.uploads(dataset, since, purpose),
        remove: api.removeUpload,
      },
      () => {
        for (const key of CHANGED[purpose]) void client.invalidateQueries({ queryKey: [key, dataset] });
        void client.invalidateQueries({ queryKey: ["datasets"] });
      },
    );
    queues.set(name, queue);
  }
  const known = queue;
  useEffect(() => {
    if (enabled) void known.load();
    const online = () => known.resumeBroken();
    window.addEventListener("online", online);
    return () => window.removeEventListener("online", online);
  }, [known, enabled]);
  const items = useSyncExternalStore(known.subscribe, known.items);
  const maxVideoFrames = useSyncExternalStore(known.subscribe, known.maxVideoFrames);
  return { queue: known, items, maxVideoFrames };
}
