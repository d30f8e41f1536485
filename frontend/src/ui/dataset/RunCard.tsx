import { useQuery } from "@tanstack/react-query";
import { RotateCw, X } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { TrainingRun } from "../../api/types";
import { ago, counted, percent, short } from "../kit/format";
import { Badge, Bar, Button, Note, type Tone } from "../kit/kit";
import { keysOf, useChange } from "../kit/useChange";
import { DetectorFigures } from "./DetectorFigures";
import { LossCurve } from "./LossCurve";
import { MetricsTable } from "./MetricsTable";
import { mixText } from "./schedule";

const STATES: Record<TrainingRun["state"], { label: string; tone?: Tone }> = {
  queued: { label: "Waiting for a worker" },
  freezing: { label: "Freezing the masks", tone: "info" },
  training: { label: "Training", tone: "info" },
  evaluating: { label: "Measuring both models", tone: "info" },
  finished: { label: "Finished", tone: "good" },
  failed: { label: "Failed", tone: "bad" },
  cancelled: { label: "Cancelled", tone: "warn" },
};

const TRIGGERS: Record<TrainingRun["trigger"], string> = {
  person: "started by a person",
  threshold: "started by new masks",
  schedule: "started by the clock",
};

export const DECISIONS = {
  promote: { label: "Promoted", tone: "good" as const },
  refuse: { label: "Refused", tone: "warn" as const },
  rollback: { label: "Restored", tone: "info" as const },
};

interface RunCardProps {
  run: TrainingRun;
  open?: boolean;
  /** A failed or cancelled run may go on where it ended. */
  again?: boolean;
}

/** One training run: how far it is, how the loss went, and how the candidate did against the serving model. */
export function RunCard({ run, open = false, again = false }: RunCardProps) {
  const state = STATES[run.state];
  const decision = run.decision && DECISIONS[run.decision.kind];
  return (
    <section className="card card--pad stack" aria-label={open ? "Training run in progress" : "Last training run"}>
      <div className="row row--between">
        <div>
          <h2>{open ? "Training now" : `Training run ${run.id}`}</h2>
          <p className="muted small">
            {TRIGGERS[run.trigger]} {ago(run.created_at)}
            {run.snapshot && ` · ${counted(run.snapshot.masks, "mask")} on ${counted(run.snapshot.images, "image")}`}
            {run.candidate && (
              <>
                {" · candidate "}
                <Link className="mono" to={`/datasets/${run.dataset}/models/${run.candidate}`}>
                  {short(run.candidate)}
                </Link>
              </>
            )}
          </p>
          {run.minutes != null && (
            <p className="muted small">
              {counted(run.minutes, "minute")} at the most{run.steps != null && `, ${counted(run.steps, "step")}`} ·
              views of {mixText(run.mix)}
            </p>
          )}
        </div>
        <div className="row">
          {decision ? (
            <Badge tone={decision.tone}>{decision.label}</Badge>
          ) : (
            <Badge tone={state.tone}>{state.label}</Badge>
          )}
          {open && run.job && <Cancel job={run.job} dataset={run.dataset} />}
          {again && run.error && run.job && <Again job={run.job} dataset={run.dataset} />}
        </div>
      </div>
      {open && (
        <div className="stack stack--small">
          <Bar value={run.progress || null} label="Progress of the training" />
          <p className="muted small" role="status">
            {[run.progress > 0 && percent(run.progress), run.message].filter(Boolean).join(" · ")}
          </p>
        </div>
      )}
      {run.error && <Note tone={run.state === "cancelled" ? "warn" : "bad"}>{run.error.message}</Note>}
      {run.decision && <Note tone={run.decision.kind === "promote" ? "good" : "info"}>{run.decision.reason}</Note>}
      <div className="columns">
        {run.evaluations.length > 0 && <MetricsTable run={run} />}
        {run.curve.length > 1 && <LossCurve curve={run.curve} />}
      </div>
      {run.detector && <DetectorFigures detector={run.detector} />}
      {run.job && <Log job={run.job} open={open} />}
    </section>
  );
}

/** What the run has said so far; asked for when somebody wants to see it. */
function Log({ job, open }: { job: string; open: boolean }) {
  const [shown, setShown] = useState(false);
  const detail = useQuery({
    queryKey: ["job", job],
    queryFn: () => api.job(job),
    enabled: shown,
    refetchInterval: open ? 2000 : false,
  });
  return (
    <details onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary className="small">Log</summary>
      {detail.isError && <Note tone="bad">{messageOf(detail.error)}</Note>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys */}
      <section className="log" tabIndex={0} aria-label="Log of the training run">
        {detail.data ? detail.data.log || "Nothing yet." : "Loading"}
      </section>
    </details>
  );
}

function Cancel({ job, dataset }: { job: string; dataset: number }) {
  const cancel = useChange(() => api.cancelJob(job), keysOf(dataset, "loop"));
  return (
    <Button size="small" look="quiet" icon={X} busy={cancel.isPending} onClick={() => cancel.mutate()}>
      Cancel
    </Button>
  );
}

function Again({ job, dataset }: { job: string; dataset: number }) {
  const again = useChange(
    () => api.retryJob(job),
    keysOf(dataset, "loop", "runs", "jobs"),
    "The run goes on where it ended, as soon as a worker is free.",
  );
  return (
    <Button size="small" icon={RotateCw} busy={again.isPending} onClick={() => again.mutate()}>
      Try again
    </Button>
  );
}
