import { CircleAlert, CloudUpload, LoaderCircle, Lock } from "lucide-react";
import { Link } from "react-router";
import type { EditorSession } from "../../actions/editorSession";
import type { Dataset } from "../../api/types";
import { buttonClass } from "../kit/kit";
import { useJournalStatus } from "../workbench";
import { useEditor } from "./useEditor";

interface BannerProps {
  session: EditorSession;
  dataset: Dataset;
  saving: boolean;
  pictureFailed: boolean;
}

/** The one most important thing to know about this image, if there is any. */
export function StageBanner({ session, dataset, saving, pictureFailed }: BannerProps) {
  const hold = useEditor(session, (state) => state.flow.hold);
  const readiness = useEditor(session, (state) => state.readiness);
  const journal = useJournalStatus();
  if (pictureFailed) {
    return (
      <div className="stage__banner" role="alert">
        <CircleAlert size={17} aria-hidden />
        The picture could not be loaded. Reload the page to try again.
      </div>
    );
  }
  if (saving) {
    return (
      <div className="stage__banner" role="status">
        <CloudUpload size={17} aria-hidden />
        {journal.offline
          ? "The server cannot be reached. Your masks are kept here; the image is submitted when it is back."
          : "Saving the last masks"}
      </div>
    );
  }
  if (hold.kind === "reading") {
    return (
      <div className="stage__banner" role="status">
        <Lock size={17} aria-hidden />
        {hold.message}
        {dataset.role !== "viewer" && (
          <Link className={buttonClass(undefined, "small")} to={`/datasets/${dataset.id}/label`}>
            Another image
          </Link>
        )}
      </div>
    );
  }
  if (readiness.state === "failed") {
    return (
      <div className="stage__banner" role="alert">
        <CircleAlert size={17} aria-hidden />
        {readiness.message} The brush works without the model.
      </div>
    );
  }
  if (readiness.state === "pending") {
    return (
      <div className="stage__banner" role="status">
        <LoaderCircle size={17} className="spinner" aria-hidden />
        {readiness.message}
      </div>
    );
  }
  return null;
}

/** Tells newcomers how to begin, until the first mask. */
export function StageHint({ session }: { session: EditorSession }) {
  const ready = useEditor(session, (state) => state.readiness.state === "ready" && state.editable);
  const empty = useEditor(session, (state) => state.drafting.empty);
  const none = useEditor(session, (state) => state.store.current.masks.size === 0);
  const tool = useEditor(session, (state) => state.toolId);
  if (!ready || !empty || !none || (tool !== "click" && tool !== "box")) return null;
  return (
    <p className="stage__hint">
      {tool === "click" ? "Click an object" : "Drag a box round an object, or click two corners"}
      <span className="wide-only">
        {" "}
        · <kbd>?</kbd> shows all keys
      </span>
    </p>
  );
}
