import { useQuery } from "@tanstack/react-query";
import { BrainCircuit } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { Loop } from "../../api/types";
import { ago, score, short } from "../kit/format";
import { Badge, ErrorState, Loading, Note } from "../kit/kit";
import { keysOf, useAskAnew } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { DetectorFigures } from "./DetectorFigures";
import { ModelVersions } from "./ModelVersions";
import { RetrainCard } from "./RetrainCard";
import { RunCard } from "./RunCard";
import { ShadowComparisons } from "./ShadowComparisons";

export function ModelTab() {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const loop = useQuery({
    queryKey: ["loop", dataset.id],
    queryFn: () => api.loop(dataset.id),
    refetchInterval: (query) => (query.state.data?.open_run ? 1500 : 15_000),
  });
  const runs = useQuery({
    queryKey: ["runs", dataset.id],
    queryFn: () => api.runs(dataset.id),
    refetchInterval: 15_000, // a short run may begin and end between two looks
  });
  const openRun = loop.data?.open_run?.id ?? null;
  const before = useRef<number | null>(null);
  useEffect(() => {
    // A run has ended: its numbers, the versions and the serving one are new.
    if (before.current !== null && openRun === null) {
      void askAnew(keysOf(dataset.id, "runs", "models"));
    }
    before.current = openRun;
  }, [openRun, dataset.id, askAnew]);
  if (loop.isPending) return <Loading label="Loading the model" />;
  if (loop.isLoadingError) return <ErrorState error={loop.error} retry={() => void loop.refetch()} />;
  const state = loop.data;
  const finished = (runs.data ?? []).filter((run) => run.id !== openRun);
  return (
    <div className="stack model-tab">
      <div className="columns">
        <Serving loop={state} />
        <RetrainCard loop={state} />
      </div>
      {state.open_run && <RunCard run={state.open_run} open />}
      {finished[0] && <RunCard run={finished[0]} again={openRun === null && mayLead(dataset)} />}
      <ModelVersions />
      <ShadowComparisons />
      {finished.length > 1 && (
        <details className="stack">
          <summary>Earlier training runs ({finished.length - 1})</summary>
          <div className="stack">
            {finished.slice(1).map((run) => (
              <RunCard key={run.id} run={run} />
            ))}
          </div>
        </details>
      )}
    </div>
  );
}

function Serving({ loop }: { loop: Loop }) {
  const { serving } = loop;
  if (!serving) return <Note tone="warn">No model serves this dataset yet.</Note>;
  return (
    <section className="card card--pad stack" aria-labelledby="serving">
      <div className="row row--between">
        <h2 id="serving">Model at work</h2>
        <Badge tone="good">Serving</Badge>
      </div>
      <div className="row">
        <BrainCircuit size={26} aria-hidden />
        <div>
          <Link to={`../models/${serving.digest}`} relative="path">
            <b>{serving.name}</b>
          </Link>
          <p className="muted small">
            {serving.variant} · <span className="mono">{short(serving.digest)}</span> · {ago(serving.created_at)}
          </p>
        </div>
      </div>
      {serving.metrics.miou_1 == null ? (
        <p className="muted small">
          Not measured on this dataset yet: the first retraining measures it on held-out masks.
        </p>
      ) : (
        <div className="facts">
          <Fact value={score(serving.metrics.miou_1)} label="IoU after 1 click" />
          <Fact value={score(serving.metrics.miou_3)} label="IoU after 3 clicks" />
          <Fact value={score(serving.metrics.miou_box)} label="IoU from a box" />
        </div>
      )}
      <DetectorFigures detector={serving.detector} />
    </section>
  );
}

function Fact({ value, label }: { value: string; label: string }) {
  return (
    <div>
      <span className="fact__value">{value}</span>
      <span className="fact__label">{label}</span>
    </div>
  );
}
