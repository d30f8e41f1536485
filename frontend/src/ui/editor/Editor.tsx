import { useQueryClient } from "@tanstack/react-query";
import { type PointerEvent, useEffect, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import type { EditorSession } from "../../actions/editorSession";
import type { Page } from "../../actions/registry";
import type { Dataset, ImageRecord } from "../../api/types";
import { earlier, later } from "../../core/trail";
import type { Picture } from "../../render/picture";
import { useToast } from "../kit/toast";
import { taskOf, trailOf } from "../lastWork";
import { CandidateStrip } from "./CandidateStrip";
import { CanvasHost } from "./CanvasHost";
import { HelpDialog, SkipDialog } from "./dialogs";
import { FramePreview } from "./FramePreview";
import { HistoryDialog } from "./HistoryDialog";
import { MaskList } from "./MaskList";
import { Minimap, ScaleBar } from "./Minimap";
import { Nudge } from "./Nudge";
import { PictureFilter } from "./PictureFilter";
import { pictureOf } from "./pictures";
import { prefetch } from "./prefetch";
import { SettingsDialog } from "./SettingsDialog";
import { SplitDivider } from "./SplitDivider";
import { StageBanner, StageHint } from "./StageBanner";
import { TimesPanel } from "./TimesPanel";
import { ToolOptions } from "./ToolOptions";
import { ToolRail } from "./ToolRail";
import { TopBar } from "./TopBar";
import { useEditor } from "./useEditor";
import { useFinish } from "./useFinish";
import { useKeys } from "./useKeys";
import { useValues } from "./useValues";
import { ValueReadout } from "./ValueReadout";
import { ViewPanel } from "./ViewPanel";

type Overlay = "none" | "help" | "skip" | "history" | "settings";

/** A crash costs at most this much of the active time that was counted. */
const KEEP_EVERY = 5000;

export function Editor({ session, dataset }: { session: EditorSession; dataset: Dataset }) {
  const navigate = useNavigate();
  const [overlay, setOverlay] = useState<Overlay>("none");
  const [panel, setPanel] = useState(false);
  const [list, setList] = useState(false);
  const [viewing, setViewing] = useState(false);
  const { image, failed } = usePicture(session.options.image);
  const values = useValues(session, viewing);
  const look = useEditor(session, (state) => state.options.view.current.look);
  const selected = useEditor(session, (state) => state.selected);
  const large = useEditor(session, (state) => state.preferences.current.largeTargets);
  const finish = useFinish(session, dataset);
  usePresence(session);
  useNotices(session);
  useOnceOpened(session);

  const page = useMemo<Page>(
    () => ({
      submit: (answer) => void finish.submit(answer),
      skip: () => setOverlay("skip"),
      leave: () => navigate(`/datasets/${dataset.id}`),
      openSettings: () => setOverlay("settings"),
      toggleHelp: () => setOverlay((shown) => (shown === "help" ? "none" : "help")),
      togglePanel: () => setPanel((shown) => !shown),
      toggleView: () => setViewing((shown) => !shown),
      history: () => setOverlay("history"),
      along: (step) => {
        const trail = trailOf(dataset.id);
        const image = step < 0 ? earlier(trail) : later(trail);
        if (image !== null) navigate(`/images/${image}`, { state: { task: taskOf(image) } });
        else session.notices.emit(step < 0 ? "This is the first image you opened." : "There is no later image.");
      },
    }),
    [finish.submit, navigate, dataset.id, session],
  );
  useKeys(session, page);

  return (
    <main
      className={large ? "editor editor--large" : "editor"}
      id="content"
      onPointerDownCapture={leaveField}
      // A clicked button must not take the focus from the picture: Enter and Space are wanted there.
      onMouseDown={(event) => {
        if ((event.target as HTMLElement).closest("button")) event.preventDefault();
      }}
    >
      <TopBar session={session} dataset={dataset} page={page} busy={finish.busy} openList={() => setList(true)} />
      <ToolRail session={session} page={page} />
      <div className="stage">
        <PictureFilter look={look} />
        <CanvasHost session={session} image={values ?? image} />
        <SplitDivider session={session} />
        {session.options.video && <FramePreview session={session} desk={session.options.video} />}
        <StageBanner session={session} dataset={dataset} saving={finish.saving} pictureFailed={failed} />
        <StageHint session={session} />
        <ToolOptions session={session} dataset={dataset} />
        <CandidateStrip session={session} image={image} />
        <Nudge session={session} />
        <ScaleBar session={session} />
        {values && <ValueReadout session={session} picture={values} />}
        <Minimap session={session} image={image} />
        {viewing && <ViewPanel session={session} picture={values} onClose={() => setViewing(false)} />}
        {panel && <TimesPanel session={session} />}
      </div>
      <MaskList
        session={session}
        image={image}
        open={list}
        onClose={() => setList(false)}
        onHistory={() => setOverlay("history")}
      />
      {overlay === "history" && selected && (
        <HistoryDialog session={session} image={image} item={selected} onClose={() => setOverlay("none")} />
      )}
      {overlay === "help" && <HelpDialog session={session} page={page} onClose={() => setOverlay("none")} />}
      {overlay === "settings" && <SettingsDialog session={session} onClose={() => setOverlay("none")} />}
      {overlay === "skip" && (
        <SkipDialog
          onClose={() => setOverlay("none")}
          onSkip={(reason) => {
            setOverlay("none");
            void finish.skip(reason);
          }}
        />
      )}
    </main>
  );
}

function usePicture(record: ImageRecord): { image: Picture | null; failed: boolean } {
  const [state, setState] = useState<{ image: Picture | null; failed: boolean }>({
    image: null,
    failed: false,
  });
  useEffect(() => {
    let wanted = true;
    pictureOf(record)
      .then((image) => wanted && setState({ image, failed: false }))
      .catch(() => wanted && setState({ image: null, failed: true }));
    return () => {
      wanted = false;
    };
  }, [record]);
  return state;
}

/** Feeds the active-time clock, and gives the image back with the page. */
function usePresence(session: EditorSession): void {
  useEffect(() => {
    const visibility = () => session.setHidden(document.hidden);
    const away = (event: PageTransitionEvent) => {
      // A page that the browser keeps in memory may come back as it was.
      if (!event.persisted) session.leave();
    };
    const keep = setInterval(() => session.keepVisit(), KEEP_EVERY);
    document.addEventListener("visibilitychange", visibility);
    window.addEventListener("pagehide", away);
    session.clock.activity();
    return () => {
      clearInterval(keep);
      document.removeEventListener("visibilitychange", visibility);
      window.removeEventListener("pagehide", away);
    };
  }, [session]);
}

/**
 * What was typed counts before the press does anything: a button leaves the focus in the field, and the picture selects
 * another mask at once, which takes the field away.
 */
function leaveField(event: PointerEvent): void {
  const field = document.activeElement;
  if (field instanceof HTMLInputElement && field !== event.target) field.blur();
}

function useNotices(session: EditorSession): void {
  const toast = useToast();
  useEffect(() => session.notices.on(toast), [session, toast]);
}

/** Once this image has opened: what the one before changed is asked for, and the next ones are made ready too. */
function useOnceOpened(session: EditorSession): void {
  const queries = useQueryClient();
  const opened = useEditor(session, (state) => state.readiness.state !== "pending");
  const ready = useEditor(session, (state) => state.readiness.state === "ready");
  const upcoming = useEditor(session, (state) => state.flow.task?.upcoming ?? null);
  useEffect(() => {
    if (!opened) return;
    const queryKey = ["dataset", session.options.image.dataset];
    void queries.refetchQueries({ queryKey, type: "active", stale: true });
  }, [opened, queries, session]);
  useEffect(() => {
    const { image, video } = session.options;
    const next = video?.neighbours(image.id) ?? upcoming;
    if (!ready || !next) return;
    const stop = new AbortController();
    const ids = next.filter((id) => id !== image.id).slice(0, 3);
    void prefetch(ids, queries, session.options.segmenter, stop.signal);
    return () => stop.abort();
  }, [ready, upcoming, queries, session]);
}
