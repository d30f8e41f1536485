import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useNavigate } from "react-router";
import type { PursuitMemory } from "../../actions/following";
import { VideoDesk } from "../../actions/videoDesk";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { ImageRecord } from "../../api/types";
import { videoApi } from "../../api/videos";
import { useToast } from "../kit/toast";
import { useUser } from "../session";
import { useWorkbench } from "../workbench";
import { loadFrame } from "./prefetch";

const server = { ...videoApi, job: api.job, cancelJob: api.cancelJob, mask: api.mask, holder: api.holder };

/** The work on the video whose frame is open; it stays while frames of it come and go. Null for other images. */
export function useVideoDesk(image: ImageRecord | undefined): VideoDesk | null {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const toast = useToast();
  const user = useUser();
  const { database } = useWorkbench();
  const [video, setVideo] = useState<number | null>(null);
  const asked = useRef(0);
  // While the next frame is on its way nothing is known of it, and it is one of this video.
  if (image && image.video !== video) setVideo(image.video);

  const desk = useMemo(() => {
    if (video === null) return null;
    const load = (id: number) => loadFrame(id, user.id, queries, database.visits);
    const made: VideoDesk = new VideoDesk({
      video,
      server,
      memory: memoryOf(video),
      stale: () => void queries.invalidateQueries({ queryKey: ["masks"], refetchType: "none" }),
      ready: (id) => load(id).catch(() => undefined),
      open: async (id) => {
        const round = ++asked.current;
        try {
          await load(id);
          // A step along the video is no page of its own: "back" leads out of it.
          if (round !== asked.current) return;
          navigate(`/images/${id}`, { replace: true, state: { task: made.tasks.get(id) ?? null } });
        } catch (error) {
          if (round !== asked.current) return;
          made.notice(`This frame could not be opened. ${messageOf(error)}`);
          made.playhead.goTo(made.playhead.opened);
        }
      },
    });
    return made;
  }, [video, queries, navigate, user, database]);

  useEffect(() => {
    if (!desk) return;
    const off = desk.notices.on(toast);
    void desk.load();
    return () => {
      asked.current += 1;
      off();
      desk.close();
    };
  }, [desk, toast]);
  return desk;
}

function memoryOf(video: number): PursuitMemory {
  const key = `anymask.following.${video}`;
  return {
    get: () => {
      try {
        return JSON.parse(sessionStorage.getItem(key) ?? "{}") as Record<string, string>;
      } catch {
        return {};
      }
    },
    set: (jobs) => sessionStorage.setItem(key, JSON.stringify(jobs)),
  };
}

/** Reads one thing from the desk and renders again only when it changes; `select` as in useEditor. */
export function useDesk<T>(desk: VideoDesk, select: (desk: VideoDesk) => T): T {
  const subscribe = useCallback((listener: () => void) => desk.changed.on(listener), [desk]);
  return useSyncExternalStore(subscribe, () => select(desk));
}
