import type { QueryClient } from "@tanstack/react-query";
import { api } from "../../api/endpoints";
import type { Picture } from "../../render/picture";
import type { Segmenter } from "../../segmenter/segmenter";
import type { Visit, VisitStore } from "../../storage/database";
import { pictureOf } from "./pictures";

/** Without a network too: what waits for one says nothing, what fails is told. */
const AT_ONCE = "always" as const;

export const imageQuery = (id: number) => ({
  queryKey: ["image", id],
  queryFn: () => api.image(id),
  staleTime: 60_000,
  networkMode: AT_ONCE,
});

/** Kept half a minute, for the prefetched next image; the editor throws its own away when it closes. */
export const masksQuery = (id: number) => ({
  queryKey: ["masks", id],
  queryFn: () => api.changes(id, null),
  staleTime: 30_000,
  networkMode: AT_ONCE,
  // A video that is played leaves one behind for every frame.
  gcTime: 60_000,
});

/** What an earlier visit in this browser left behind; null where there was none. */
export const visitQuery = (id: number, user: number, visits: VisitStore) => ({
  queryKey: ["visit", id, user],
  queryFn: (): Promise<Visit | null> => visits.get(user, id).catch(() => null),
  staleTime: 30_000,
  networkMode: AT_ONCE,
});

/** Everything that the editor needs to show a frame at once, but for the embedding. */
export async function loadFrame(
  id: number,
  user: number,
  queries: QueryClient,
  visits: VisitStore,
): Promise<{ picture: Picture }> {
  const [image] = await Promise.all([
    queries.fetchQuery(imageQuery(id)),
    queries.fetchQuery(masksQuery(id)),
    queries.fetchQuery(visitQuery(id, user, visits)),
  ]);
  return { picture: await pictureOf(image) };
}

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
