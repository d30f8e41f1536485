import { Timer, X } from "lucide-react";
import { useEffect, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { Button, IconButton } from "../kit/kit";
import { useEditor } from "./useEditor";

/** The advice of the Segment Anything engine: a mask that takes longer than this is worth leaving. */
const AFTER_SECONDS = 30;
const LOOK_EVERY = 1000;

/** A word, once per mask, when it has taken more than half a minute of active time. It can be switched off. */
export function Nudge({ session }: { session: EditorSession }) {
  const wanted = useEditor(session, (state) => state.options.view.current.nudge);
  const making = useEditor(session, (state) => !state.drafting.empty);
  const [late, setLate] = useState(false);
  const [closed, setClosed] = useState(false);
  useEffect(() => {
    if (!wanted || !making) return;
    const look = () => setLate(session.secondsOnMask > AFTER_SECONDS);
    const timer = setInterval(look, LOOK_EVERY);
    return () => {
      clearInterval(timer);
      setLate(false);
      setClosed(false);
    };
  }, [session, wanted, making]);
  if (!wanted || !making || !late || closed) return null;
  return (
    <div className="nudge" role="status">
      <Timer size={17} aria-hidden />
      <span>Half a minute on this mask. Accept what is good enough, or leave it and go on.</span>
      <Button size="small" look="quiet" onClick={() => session.options.view.set({ nudge: false })}>
        Don't say this again
      </Button>
      <IconButton icon={X} size="small" look="quiet" label="Close this hint" onClick={() => setClosed(true)} />
    </div>
  );
}
