import { useEffect, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { planesOf } from "../../core/deepValues";
import { isPlain } from "../../core/viewSettings";
import { ValuesPicture } from "../../render/valuesPicture";
import { useEditor } from "./useEditor";

/** The picture in its own values, from when somebody looks at them; null for others and until it is there. */
export function useValues(session: EditorSession, viewing: boolean): ValuesPicture | null {
  const look = useEditor(session, (state) => state.options.view.current.look);
  const source = useEditor(session, ({ values: { state } }) => (state.kind === "ready" ? state.source : null));
  const [picture, setPicture] = useState<ValuesPicture | null>(null);
  const wanted = viewing || !isPlain(look);
  useEffect(() => {
    if (wanted) session.values.want();
  }, [session, wanted]);

  const planes = source ? planesOf(look.channel, source).join() : "";
  useEffect(() => {
    if (!source) return;
    let left = false;
    const next = new ValuesPicture(source, planes.split(",").map(Number), session.size);
    next
      .open()
      .then(() => {
        if (left) return;
        next.setLook(session.options.view.current.look);
        setPicture(next);
      })
      .catch(() => !left && session.values.fail("The original values could not be loaded."));
    return () => {
      left = true;
    };
  }, [session, source, planes]);

  useEffect(() => picture?.setLook(look), [picture, look]);
  return source && picture;
}
