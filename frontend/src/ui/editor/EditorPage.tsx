import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLayoutEffect, useState } from "react";
import { useLocation, useParams, useSearchParams } from "react-router";
import { EditorSession } from "../../actions/editorSession";
import type { VideoDesk } from "../../actions/videoDesk";
import { api } from "../../api/endpoints";
import type { ChangesAnswer, Dataset, ImageRecord, Task } from "../../api/types";
import { patchBox } from "../../core/patch";
import type { Visit } from "../../storage/database";
import { ErrorPage, Loading } from "../kit/kit";
import { rememberWork } from "../lastWork";
import { useSignedOut, useUser } from "../session";
import { ToSignIn } from "../ToSignIn";
import { usePageTitle } from "../usePageTitle";
import { useWorkbench } from "../workbench";
import { Editor } from "./Editor";
import { nextOpening } from "./nextOpening";
import { imageQuery, masksQuery, visitQuery } from "./prefetch";
import { Timeline } from "./timeline/Timeline";
import { useVideoDesk } from "./useVideoDesk";

/** One image in the editor; below it the timeline where the image is a frame, which stays from frame to frame. */
export function EditorPage() {
  const id = Number(useParams().imageId);
  const image = useQuery(imageQuery(id));
  const video = useVideoDesk(image.data);
  return (
    <div className={video ? "desk desk--video" : "desk"}>
      <OneImage id={id} video={video} />
      {video && <Timeline key={video.options.video} desk={video} />}
    </div>
  );
}

/** Loads what an editor needs and mounts a fresh one for every image. */
function OneImage({ id, video }: { id: number; video: VideoDesk | null }) {
  const location = useLocation();
  const task = (location.state as { task?: Task } | null)?.task ?? null;
  const user = useUser();
  const { database } = useWorkbench();
  const signedOut = useSignedOut();
  const image = useQuery(imageQuery(id));
  const visit = useQuery({ ...visitQuery(id, user.id, database.visits), refetchOnWindowFocus: false });
  const masks = useQuery({ ...masksQuery(id), refetchOnWindowFocus: false, refetchOnReconnect: false });
  const datasetId = image.data?.dataset;
  const dataset = useQuery({
    queryKey: ["dataset", datasetId],
    queryFn: () => api.dataset(datasetId ?? 0),
    enabled: datasetId !== undefined,
  });
  usePageTitle(image.data?.file_name ?? "Image");
  const failed = [image, masks, dataset].find((query) => query.isLoadingError);
  if (failed && signedOut) return <ToSignIn />;
  if (failed) return <ErrorPage error={failed.error} retry={() => void failed.refetch()} />;
  const here = image.data?.video === (video?.options.video ?? null);
  if (!image.data || !here || !masks.data || !dataset.data || visit.data === undefined)
    return <Loading label="Opening the image" />;
  return (
    <WithSession
      key={id}
      image={image.data}
      masks={masks.data}
      dataset={dataset.data}
      visit={visit.data}
      video={video}
      task={task?.image.id === id ? task : null}
    />
  );
}

interface WithSessionProps {
  image: ImageRecord;
  masks: ChangesAnswer;
  dataset: Dataset;
  visit: Visit | null;
  video: VideoDesk | null;
  task: Task | null;
}

/** One session per visit: it is made from what was loaded first and from then on knows better than the server's list. */
function WithSession({ image, masks, dataset, visit, video, task }: WithSessionProps) {
  const workbench = useWorkbench();
  const user = useUser();
  const queries = useQueryClient();
  const [search] = useSearchParams();
  const [named] = useState(search.get("mask"));
  const [loaded] = useState({ image, masks, dataset, visit, video, task });
  const [session, setSession] = useState<EditorSession | null>(null);

  // Before the screen is painted: from one frame of a video to the next nothing must flicker.
  useLayoutEffect(() => {
    const opened = new EditorSession({
      image: loaded.image,
      loaded: loaded.masks,
      visit: loaded.visit,
      stage: loaded.dataset.stage,
      user,
      task: loaded.task,
      mayEdit: loaded.dataset.role !== "viewer",
      segmenter: workbench.segmenter(),
      journal: workbench.journal,
      drafts: workbench.database.drafts,
      visits: workbench.database.visits,
      timings: workbench.timings,
      view: workbench.view,
      video: loaded.video,
      next: nextOpening,
    });
    setSession(opened);
    rememberWork(loaded.image, loaded.task);
    void opened.open();
    const shown = named ? opened.store.mask(named) : undefined;
    if (shown) {
      opened.select(shown.id);
      opened.opening = patchBox(shown.patch);
    }
    return () => {
      opened.close();
      // The next visit must start from the server's masks, and the lists show other counts now: whoever shows them
      // asks again, but not while the next image opens (`useOnceOpened`).
      for (const key of ["masks", "visit"]) queries.removeQueries({ queryKey: [key, loaded.image.id] });
      const { dataset, id } = loaded.image;
      for (const queryKey of [
        ["images", dataset],
        ["dataset", dataset],
        ["loop", dataset],
        ["image", id],
      ]) {
        void queries.invalidateQueries({ queryKey, refetchType: "none" });
      }
    };
  }, [loaded, user, workbench, queries, named]);

  return session ? <Editor session={session} dataset={dataset} /> : <Loading label="Opening the image" />;
}
