import { useMutation, useQueryClient } from "@tanstack/react-query";
import { X } from "lucide-react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { TrainingRun } from "../../api/types";
import { ago, counted, percent, short } from "../kit/format";
import { Badge, Bar, Button, Note, type Tone } from "../kit/kit";
import { useToast } from "../kit/toast";
import { LossCurve } from "./LossCurve";
import { MetricsTable } from "./MetricsTable";

const STATES: Record<TrainingRun["state"], { label: string; tone?: Tone }> = {
  queued: { label: "Waiting for a worker" },
  freezing: { label: "Freezing the masks", tone: "info" },
  training: { label: "Training", tone: "info" },
  evaluating: { label: "Measuring both models", tone: "info" },
  finished: { label: "Finished", tone: "good" },
  failed: { label: "Failed", tone: "bad" },
  cancelled: { label: "Cancelled", tone: "warn" },
};

const DECISIONS = {
  promote: { label: "Promoted", tone: "good" as const },
  refuse: { label: "Refused", tone: "warn" as const },
  rollback: { label: "Restored", tone: "info" as const },
};

/** One training run: how far it is, how the loss went, and how the candidate did against the serving model. */
export function RunCard({ run, open = false }: { run: TrainingRun; open?: boolean }) {
  const state = STATES[run.state];
  const decision = run.decision && DECISIONS[run.decision.kind];
  return (
    <section className="card card--pad stack" aria-label={open ? "Training run in progress" : "Last training run"}>
      <div className="row row--between">
        <div>
          <h2>{open ? "Training now" : `Training run ${run.id}`}</h2>
          <p className="muted small">
            {run.trigger === "person" ? "started by a person" : "started by itself"} {ago(run.created_at)}
            {run.snapshot && ` · ${counted(run.snapshot.masks, "mask")} on ${counted(run.snapshot.images, "image")}`}
            {run.candidate && (
              <>
                {" · candidate "}
                <span className="mono">{short(run.candidate)}</span>
              </>
            )}
          </p>
        </div>
        <div className="row">
          {decision ? (
            <Badge tone={decision.tone}>{decision.label}</Badge>
          ) : (
            <Badge tone={state.tone}>{state.label}</Badge>
          )}
          {open && run.job && <Cancel job={run.job} dataset={run.dataset} />}
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
    </section>
  );
}

function Cancel({ job, dataset }: { job: string; dataset: number }) {
  const queries = useQueryClient();
  const toast = useToast();
  const cancel = useMutation({
    mutationFn: () => api.cancelJob(job),
    onError: (error) => toast(messageOf(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["loop", dataset] }),
  });
  return (
    <Button size="small" look="quiet" icon={X} busy={cancel.isPending} onClick={() => cancel.mutate()}>
      Cancel
    </Button>
  );
}
