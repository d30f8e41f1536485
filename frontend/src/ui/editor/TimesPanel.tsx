import { useEffect, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import { Button } from "../kit/kit";
import { setDecodePlace } from "../workbench";

const milliseconds = (value: number | null | undefined): string => (value == null ? "–" : `${value.toFixed(1)} ms`);

/** Measured times, hidden until asked for: what the annotator feels, in numbers. */
export function TimesPanel({ session, lastPaint }: { session: EditorSession; lastPaint: () => number }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, []);
  const decodes = session.decodes.summary();
  const { segmenter } = session.options;
  const elsewhere = segmenter.place === "server" ? "browser" : "server";
  return (
    <section className="panel" aria-label="Measured times">
      <dl>
        <dt>decoder</dt>
        <dd>{segmenter.place}</dd>
        <dt>decodes</dt>
        <dd>{decodes?.count ?? 0}</dd>
        <dt>p50</dt>
        <dd>{milliseconds(decodes?.p50)}</dd>
        <dt>p95</dt>
        <dd>{milliseconds(decodes?.p95)}</dd>
        <dt>paint</dt>
        <dd>{milliseconds(lastPaint())}</dd>
        <dt>clickable after</dt>
        <dd>{milliseconds(session.readyAfter)}</dd>
        <dt>threads</dt>
        <dd>{window.crossOriginIsolated ? "yes" : "no"}</dd>
        <dt>active</dt>
        <dd>{session.clock.seconds().toFixed(0)} s</dd>
      </dl>
      <Button size="small" onClick={() => setDecodePlace(elsewhere)}>
        Decode {elsewhere === "server" ? "on the server" : "in the browser"}
      </Button>
    </section>
  );
}
