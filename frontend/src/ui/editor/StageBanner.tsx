import {
  CircleAlert,
  ClipboardCheck,
  CloudOff,
  CloudUpload,
  GraduationCap,
  LoaderCircle,
  Lock,
  LockOpen,
  LogIn,
  type LucideIcon,
} from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";
import type { EditorSession } from "../../actions/editorSession";
import type { Dataset } from "../../api/types";
import { Button, buttonClass } from "../kit/kit";
import { SignInAgain } from "../SignInAgain";
import { useSignedOut } from "../session";
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
  const connected = useEditor(session, (state) => state.live.connected);
  const journal = useJournalStatus();
  const signedOut = useSignedOut();
  const offline = !connected || (journal.offline && journal.waiting > 0);
  if (pictureFailed) {
    return (
      <Banner icon={CircleAlert} alert>
        The picture could not be loaded. Reload the page to try again.
      </Banner>
    );
  }
  if (signedOut) {
    return (
      <Banner icon={LogIn} tone="warn">
        You are signed out. What you make is kept here.
        <SignInAgain className={buttonClass(undefined, "small")}>Sign in again</SignInAgain>
      </Banner>
    );
  }
  if (saving) {
    return (
      <Banner icon={CloudUpload}>
        {offline
          ? "The server cannot be reached. Your masks are kept here; the image is submitted when it is back."
          : "Saving the last masks"}
      </Banner>
    );
  }
  if (offline) {
    return (
      <Banner icon={CloudOff} tone="warn">
        {journal.onlyHere > 0
          ? "Offline. Keep this page open: this browser could not store everything that is to be sent."
          : "Offline. Go on working: everything is kept here and sent later."}
      </Banner>
    );
  }
  if (hold.kind === "reading" || hold.kind === "free") {
    return (
      <Banner icon={hold.kind === "free" ? LockOpen : Lock}>
        {hold.message}
        {hold.kind === "free" && (
          <Button size="small" onClick={() => void session.flow.claim()}>
            Take it up
          </Button>
        )}
        {dataset.role !== "viewer" && (
          <Link className={buttonClass(undefined, "small")} to={`/datasets/${dataset.id}/label`}>
            Another image
          </Link>
        )}
      </Banner>
    );
  }
  if (readiness.state === "failed") {
    return (
      <Banner icon={CircleAlert} alert>
        {readiness.message} The brush works without the model.
      </Banner>
    );
  }
  if (readiness.state === "pending") {
    return <Banner icon={LoaderCircle}>{readiness.message}</Banner>;
  }
  if (hold.kind === "held" && hold.task.kind === "audit") {
    return (
      <Banner icon={ClipboardCheck}>Audit: correct every mask, delete what shows nothing, add what is missing.</Banner>
    );
  }
  if (hold.kind === "held" && hold.task.kind === "review") {
    return <Banner icon={ClipboardCheck}>Review: judge every mask.</Banner>;
  }
  if (hold.kind === "held" && hold.task.kind === "returned") {
    return <Banner icon={ClipboardCheck}>Back from review: put right what is marked.</Banner>;
  }
  if (hold.kind === "held" && hold.task.kind === "training") {
    return (
      <Banner icon={GraduationCap}>
        Training: mask every object. Your masks are compared with the gold ones when you submit.
      </Banner>
    );
  }
  return null;
}

interface BoxProps {
  icon: LucideIcon;
  alert?: boolean;
  tone?: "warn";
  children: ReactNode;
}

function Banner({ icon: Icon, alert, tone, children }: BoxProps) {
  return (
    <div className={tone ? `stage__banner stage__banner--${tone}` : "stage__banner"} role={alert ? "alert" : "status"}>
      <Icon size={17} className={Icon === LoaderCircle ? "spinner" : undefined} aria-hidden />
      {children}
    </div>
  );
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
