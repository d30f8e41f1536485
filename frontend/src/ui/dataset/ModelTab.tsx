import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { BrainCircuit, RefreshCw } from "lucide-react";
import { Switch } from "radix-ui";
import { useEffect, useRef } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Loop } from "../../api/types";
import { ago, count, counted, score, short } from "../kit/format";
import { Badge, Bar, Button, ErrorState, Loading, Note } from "../kit/kit";
import { useToast } from "../kit/toast";
import { mayLead, useDataset } from "./DatasetPage";
import { ModelVersions } from "./ModelVersions";
import { RunCard } from "./RunCard";

export function ModelTab() {
  const dataset = useDataset();
  const queries = useQueryClient();
  const loop = useQuery({
    queryKey: ["loop", dataset.id],
    queryFn: () => api.loop(dataset.id),
    refetchInterval: (query) => (query.state.data?.open_run ? 1500 : 15_000),
  });
  const runs = useQuery({ queryKey: ["runs", dataset.id], queryFn: () => api.runs(dataset.id) });
  const openRun = loop.data?.open_run?.id ?? null;
  const before = useRef<number | null>(null);
  useEffect(() => {
    // A run has ended: its numbers, the versions and the serving one are new.
    if (before.current !== null && openRun === null) {
      void queries.invalidateQueries({ queryKey: ["runs", dataset.id] });
      void queries.invalidateQueries({ queryKey: ["models", dataset.id] });
    }
    before.current = openRun;
  }, [openRun, dataset.id, queries]);
  if (loop.isPending) return <Loading label="Loading the model" />;
  if (loop.isError) return <ErrorState error={loop.error} retry={() => void loop.refetch()} />;
  const state = loop.data;
  const finished = (runs.data ?? []).filter((run) => run.id !== openRun);
  return (
    <div className="stack model-tab">
      <div className="columns">
        <Serving loop={state} />
        <Retrain loop={state} />
      </div>
      {state.open_run && <RunCard run={state.open_run} open />}
      {finished[0] && <RunCard run={finished[0]} />}
      <ModelVersions />
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
          <b>{serving.name}</b>
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

function Retrain({ loop }: { loop: Loop }) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const toast = useToast();
  const lead = mayLead(dataset);
  const start = useMutation({
    mutationFn: () => api.startRun(dataset.id),
    onError: (error) => toast(messageOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["loop", dataset.id] }),
  });
  const automatic = useMutation({
    mutationFn: (auto_retrain: boolean) => api.changeDataset(dataset.id, { auto_retrain }),
    onError: (error) => toast(messageOf(error)),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["loop", dataset.id] }),
        queries.invalidateQueries({ queryKey: ["dataset", dataset.id] }),
      ]),
  });
  const left = Math.max(0, loop.retrain_after - loop.new_masks);
  return (
    <section className="card card--pad stack" aria-labelledby="retrain">
      <h2 id="retrain">Next retraining</h2>
      <div className="stack stack--small">
        <Bar value={Math.min(1, loop.new_masks / loop.retrain_after)} label="New masks until the next retraining" />
        <p className="small muted">
          {count(loop.new_masks)} of {count(loop.retrain_after)} new masks
          {loop.auto_retrain && (left > 0 ? `; ${count(left)} more start it by themselves` : "")}
          {". "}
          {counted(loop.train_masks, "mask")} to learn from, {count(loop.held_out_masks)} held out to judge
          {loop.held_out_masks < loop.held_out_needed ? ` (${count(loop.held_out_needed)} needed)` : ""}.
        </p>
      </div>
      {!loop.can_retrain && !loop.open_run && loop.reasons.length > 0 && (
        <Note tone="warn">
          {loop.reasons.map((reason) => (
            <p key={reason.code}>{reason.message}</p>
          ))}
        </Note>
      )}
      <div className="row row--between">
        <Button
          look="primary"
          icon={RefreshCw}
          disabled={!lead || !loop.can_retrain || loop.open_run !== null}
          busy={start.isPending}
          onClick={() => start.mutate()}
        >
          Retrain now
        </Button>
        <label className="row" htmlFor="auto-retrain">
          <span className="small">By itself</span>
          <Switch.Root
            id="auto-retrain"
            className="switch"
            checked={loop.auto_retrain}
            disabled={!lead || automatic.isPending}
            onCheckedChange={(checked) => automatic.mutate(checked)}
          >
            <Switch.Thumb className="switch__thumb" />
          </Switch.Root>
        </label>
      </div>
      {!lead && <p className="small muted">Leads of the dataset start retraining.</p>}
    </section>
  );
}
