import type { QueryClient } from "@tanstack/react-query";
import { api } from "../../api/endpoints";
import type { Segmenter } from "../../segmenter/segmenter";
import { pictureOf } from "./pictures";

export const imageQuery = (id: number) => ({
  queryKey: ["image", id],
  queryFn: () => api.image(id),
  staleTime: 60_000,
});

/** Kept half a minute, for the prefetched next image; the editor throws its own away when it closes. */
export const masksQuery = (id: number) => ({
  queryKey: ["masks", id],
  queryFn: () => api.changes(id, null),
  staleTime: 30_000,
});

/** Makes the next images open at once: record, masks, picture and embedding. One after the other, nearest first. */
export async function prefetch(
  ids: readonly number[],
  queries: QueryClient,
  segmenter: Segmenter,
  signal: AbortSignal,
): Promise<void> {
  for (const id of ids) {
    if (signal.aborted) return;
    try {
      const image = await queries.fetchQuery(imageQuery(id));
      await Promise.all([
        queries.prefetchQuery(masksQuery(id)),
        pictureOf(image),
        segmenter.prepare(id, () => undefined, signal),
      ]);
    } catch {
      // Prefetching is a favour. What failed here is asked for again, with an answer, when the image is opened.
    }
  }
}
