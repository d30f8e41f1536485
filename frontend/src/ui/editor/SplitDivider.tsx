import { X } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { IconButton } from "../kit/kit";
import { useEditor } from "./useEditor";

const STEP = 0.02;
const FAR = 0.1;

/** The line between the image as it was and as it is. It is dragged, or moved by the arrow keys while it has the focus. */
export function SplitDivider({ session }: { session: EditorSession }) {
  const shown = useEditor(session, (state) => state.split.before !== null);
  return shown ? <Divider session={session} /> : null;
}

function Divider({ session }: { session: EditorSession }) {
  const { split } = session;
  const at = useEditor(session, (state) => state.split.at);
  const line = useRef<HTMLDivElement>(null);
  useEffect(() => line.current?.focus(), []);

  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons === 0) return;
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus();
    const stage = event.currentTarget.parentElement?.getBoundingClientRect();
    if (stage) split.move((event.clientX - stage.left) / stage.width);
  };
  const key = (event: KeyboardEvent) => {
    const step = event.shiftKey ? FAR : STEP;
    const to = { ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: 1, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    // The arrows would move the picture's crosshair, too, and Esc would give up the mask in the making.
    event.stopPropagation();
    if (to === null) void split.toggle();
    else split.move(to);
  };

  return (
    <>
      <span className="split__side split__side--before" style={{ right: `${100 - at * 100}%` }} aria-hidden="true">
        First
      </span>
      <span className="split__side" style={{ left: `${at * 100}%` }}>
        <span aria-hidden="true">Now</span>
        <IconButton icon={X} size="small" look="quiet" label="End the comparison" onClick={() => void split.toggle()} />
      </span>
      {/* biome-ignore lint/a11y/useSemanticElements: a divider that is moved is a separator with a value, no <hr> */}
      <div
        ref={line}
        className="split__line"
        style={{ left: `${at * 100}%` }}
        role="separator"
        tabIndex={0}
        aria-orientation="vertical"
        aria-label="Masks as first made on the left, as they are now on the right"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(at * 100)}
        onPointerDown={drag}
        onPointerMove={drag}
        onKeyDown={key}
      />
    </>
  );
}
