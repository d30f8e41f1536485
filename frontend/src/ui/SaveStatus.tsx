import { CircleAlert, CircleCheck, CloudOff, LoaderCircle } from "lucide-react";
import { useState } from "react";
import type { JournalStatus } from "../core/journal";
import { ProblemsDialog } from "./ProblemsDialog";
import { SignInAgain } from "./SignInAgain";
import { waitingWords } from "./saveWords";
import { useJournalStatus } from "./workbench";

/** One line that is always true: what is saved, what waits, what needs a decision. */
export function SaveStatus() {
  const status = useJournalStatus();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Line status={status} decide={() => setOpen(true)} />
      {open && <ProblemsDialog onClose={() => setOpen(false)} />}
    </>
  );
}

function Line({ status, decide }: { status: JournalStatus; decide: () => void }) {
  if (status.problems.length > 0) {
    return (
      <button type="button" className="button button--small button--danger" onClick={decide}>
        <CircleAlert size={16} aria-hidden />
        {status.problems.length === 1 ? "1 mask needs you" : `${status.problems.length} masks need you`}
      </button>
    );
  }
  if (status.signedOut) {
    return (
      <SignInAgain className="status status--bad">
        <CircleAlert size={16} aria-hidden />
        Signed out, {waitingWords(status)}: sign in again
      </SignInAgain>
    );
  }
  if (status.waiting > 0 && status.offline) {
    return (
      <span className="status status--warn" role="status">
        <CloudOff size={16} aria-hidden />
        Offline, {waitingWords(status)}
      </span>
    );
  }
  if (status.waiting > 0) {
    return (
      <span className={status.onlyHere > 0 ? "status status--warn" : "status"} role="status">
        <LoaderCircle size={16} className="spinner" aria-hidden />
        {waitingWords(status)}
      </span>
    );
  }
  return (
    <span className="status status--good" role="status">
      <CircleCheck size={16} aria-hidden />
      All saved
    </span>
  );
}
