import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useLocation, useParams, useSearchParams } from "react-router";
import { EditorSession } from "../../actions/editorSession";
import { api } from "../../api/endpoints";
import type { ChangesAnswer, Dataset, ImageRecord, Task } from "../../api/types";
import { patchBox } from "../../core/patch";
import { ErrorState, Loading } from "../kit/kit";
import { rememberWork } from "../lastWork";
import { useUser } from "../session";
import { usePageTitle } from "../usePageTitle";
import { useWorkbench } from "../workbench";
import { Editor } from "./Editor";
import { nextOpening } from "./nextOpening";
import { imageQuery, masksQuery } from "./prefetch";

/** Loads what an editor needs and mounts a fresh one for every image. */
export function EditorPage() {
  const id = Number(useParams().imageId);
  const location = useLocation();
  const task = (location.state as { task?: Task } | null)?.task ?? null;
  const image = useQuery(imageQuery(id));
  const masks = useQuery({ ...masksQuery(id), refetchOnWindowFocus: false, refetchOnReconnect: false });
  const datasetId = image.data?.dataset;
  const dataset = useQuery({
    queryKey: ["dataset", datasetId],
    queryFn: () => api.dataset(datasetId ?? 0),
    enabled: datasetId !== undefined,
  });
  usePageTitle(image.data?.file_name ?? "Image");
  const failed = [image, masks, dataset].find((query) => query.isError);
  if (failed) {
    return (
      <main className="page" id="content">
        <ErrorState error={failed.error} retry={() => void failed.refetch()} />
      </main>
    );
  }
  if (!image.data || !masks.data || !dataset.data) return <Loading label="Opening the image" />;
  return (
    <WithSession
      key={id}
      image={image.data}
      masks={masks.data}
      dataset={dataset.data}
      task={task?.image.id === id ? task : null}
    />
  );
}

interface WithSessionProps {
  image: ImageRecord;
  masks: ChangesAnswer;
  dataset: Dataset;
  task: Task | null;
}

/** One session per visit: it is made from what was loaded first and from then on knows better than the server's list. */
function WithSession({ image, masks, dataset, task }: WithSessionProps) {
  const workbench = useWorkbench();
  const user = useUser();
  const queries = useQueryClient();
  const [search] = useSearchParams();
  const [named] = useState(search.get("mask"));
  const [loaded] = useState({ image, masks, dataset, task });
  const [session, setSession] = useState<EditorSession | null>(null);

  useEffect(() => {
    let opened: EditorSession | null = null;
    let left = false;
    const { visits } = workbench.database;
    const visited = visits.get(user.id, loaded.image.id).catch(() => null);
    void visited.then((visit) => {
      if (left) return;
      opened = new EditorSession({
        image: loaded.image,
        loaded: loaded.masks,
        visit,
        stage: loaded.dataset.stage,
        user,
        task: loaded.task,
        mayEdit: loaded.dataset.role !== "viewer",
        segmenter: workbench.segmenter(),
        journal: workbench.journal,
        drafts: workbench.database.drafts,
        visits,
        timings: workbench.timings,
        view: workbench.view,
        next: nextOpening,
      });
      setSession(opened);
      rememberWork(loaded.image);
      void opened.open();
      const shown = named ? opened.store.mask(named) : undefined;
      if (shown) {
        opened.select(shown.id);
        opened.opening = patchBox(shown.patch);
      }
    });
    return () => {
      left = true;
      opened?.close();
      // The next visit must start from the server's masks, and the lists show other counts now.
      queries.removeQueries({ queryKey: ["masks", loaded.image.id] });
      for (const list of ["images", "dataset", "loop"]) {
        void queries.invalidateQueries({ queryKey: [list, loaded.image.dataset] });
      }
      void queries.invalidateQueries({ queryKey: ["image", loaded.image.id] });
    };
  }, [loaded, user, workbench, queries, named]);

  return session ? <Editor session={session} dataset={dataset} /> : <Loading label="Opening the image" />;
}
