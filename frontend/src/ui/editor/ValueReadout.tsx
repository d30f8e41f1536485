import { useEffect, useRef } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { valueWritten } from "../../core/deepValues";
import { type ImagePoint, screenPoint } from "../../core/geometry";
import { toImage } from "../../core/viewport";
import type { ValuesPicture } from "../../render/valuesPicture";

/** The pointer has rested after so many milliseconds: only then tiles are fetched for what lies under it. */
const REST = 120;

/** The picture's own values under the pointer or the crosshair. It is written past React: it changes with every move. */
export function ValueReadout({ session, picture }: { session: EditorSession; picture: ValuesPicture }) {
  const line = useRef<HTMLOutputElement>(null);
  useEffect(() => {
    const stop = new AbortController();
    let at: ImagePoint | null = null;
    let timer = 0;
    const write = () => {
      if (line.current) line.current.textContent = at ? textAt(picture, at) : "";
    };
    const goTo = (point: ImagePoint | null) => {
      at = point;
      clearTimeout(timer);
      const reading = at && picture.at(at);
      if (at && reading && !reading.exact) timer = window.setTimeout(() => at && picture.want(at), REST);
      write();
    };
    const move = (event: PointerEvent) => {
      const canvas = event.target;
      if (!(canvas instanceof HTMLCanvasElement) || canvas.dataset.layer !== "overlay") return goTo(null);
      const box = canvas.getBoundingClientRect();
      goTo(toImage(session.view, screenPoint(event.clientX - box.left, event.clientY - box.top)));
    };
    window.addEventListener("pointermove", move, { signal: stop.signal });
    const offs = [
      picture.onBetter(write),
      session.changed.on(() => session.cursor.at && session.cursor.at !== at && goTo(session.cursor.at)),
    ];
    return () => {
      stop.abort();
      clearTimeout(timer);
      for (const off of offs) off();
    };
  }, [session, picture]);
  return <output ref={line} className="value-readout" aria-label="Value under the pointer" aria-live="off" />;
}

function textAt(picture: ValuesPicture, at: ImagePoint): string {
  const reading = picture.at(at);
  if (!reading) return "";
  const values = reading.values.map((value) => valueWritten(value)).join(" / ");
  return `x ${Math.floor(at.x)}, y ${Math.floor(at.y)} · ${reading.exact ? "" : "≈ "}${values}`;
}
