import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { type UploadItem, UploadQueue } from "../../actions/uploadQueue";
import { api } from "../../api/endpoints";
import { sendFile } from "../../api/tusUpload";

/** One queue per dataset as long as the page lives: files go on arriving whatever part of it is shown. */
const queues = new Map<number, UploadQueue>();

export interface Uploads {
  readonly queue: UploadQueue;
  readonly items: readonly UploadItem[];
}

export function useUploads(dataset: number, enabled: boolean): Uploads {
  const client = useQueryClient();
  let queue = queues.get(dataset);
  if (!queue) {
    const endpoint = `/api/datasets/${dataset}/uploads/`;
    queue = new UploadQueue(
      {
        send: (file, metadata, address, events) => sendFile(endpoint, file, metadata, address, events),
        list: (since) => api.uploads(dataset, since),
        remove: api.removeUpload,
      },
      () => {
        for (const key of ["images", "dataset"]) void client.invalidateQueries({ queryKey: [key, dataset] });
        void client.invalidateQueries({ queryKey: ["datasets"] });
      },
    );
    queues.set(dataset, queue);
  }
  const known = queue;
  useEffect(() => {
    if (enabled) void known.load();
    const online = () => known.resumeBroken();
    window.addEventListener("online", online);
    return () => window.removeEventListener("online", online);
  }, [known, enabled]);
  const items = useSyncExternalStore(known.subscribe, known.items);
  return { queue: known, items };
}
