import { useEffect, useState } from "react";
import type { EditorSession } from "../../actions/editorSession";
import type { Latency, Timings } from "../../core/latency";
import { Button } from "../kit/kit";
import { setDecodePlace } from "../workbench";

const ROWS: [string, Exclude<keyof Timings, "clear" | "answered">][] = [
  ["decode", "decode"],
  ["answer", "answer"],
  ["prompt to painted", "promptToPainted"],
  ["frame", "paint"],
  ["embedding wait", "embeddingWait"],
  ["accept to saved", "save"],
  ["next image", "nextImage"],
];

const milliseconds = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(1));

/** Measured times, hidden until asked for: what the annotator feels, in milliseconds. */
export function TimesPanel({ session }: { session: EditorSession }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, []);
  const { segmenter, timings } = session.options;
  const elsewhere = segmenter.place === "server" ? "browser" : "server";
  return (
    <section className="panel" aria-label="Measured times">
      <table>
        <caption className="sr-only">Milliseconds</caption>
        <thead>
          <tr>
            <th scope="col">ms</th>
            <th scope="col">n</th>
            <th scope="col">p50</th>
            <th scope="col">p95</th>
          </tr>
        </thead>
        <tbody>
          {ROWS.map(([label, name]) => (
            <Row key={name} label={label} name={name} latency={timings[name]} />
          ))}
        </tbody>
      </table>
      <p>
        decoder in the {segmenter.place}, threads {window.crossOriginIsolated ? "on" : "off"}
        <br />
        active {session.clock.seconds().toFixed(0)} s, on this mask {session.secondsOnMask.toFixed(0)} s
      </p>
      <div className="row">
        <Button size="small" onClick={() => setDecodePlace(elsewhere)}>
          Decode {elsewhere === "server" ? "on the server" : "in the browser"}
        </Button>
        <Button size="small" onClick={() => timings.clear()}>
          Count anew
        </Button>
      </div>
    </section>
  );
}

function Row({ label, name, latency }: { label: string; name: string; latency: Latency }) {
  const summary = latency.summary();
  return (
    <tr data-times={name}>
      <th scope="row">{label}</th>
      <td>{summary?.count ?? 0}</td>
      <td>{milliseconds(summary?.p50)}</td>
      <td>{milliseconds(summary?.p95)}</td>
    </tr>
  );
}
