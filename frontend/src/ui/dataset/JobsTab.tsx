import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, CircleSlash, Clock, LoaderCircle, RotateCw, Server, X } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Job } from "../../api/types";
import { ago, duration } from "../kit/format";
import { Badge, Bar, Button, EmptyState, type Tone } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { useChange } from "../kit/useChange";
import { useDataset } from "./DatasetPage";

const OPEN = new Set(["queued", "running"]);

const LOOKS: Record<Job["state"], { label: string; tone?: Tone; icon: typeof Clock }> = {
  queued: { label: "Waiting", icon: Clock },
  running: { label: "Running", tone: "info", icon: LoaderCircle },
  succeeded: { label: "Done", tone: "good", icon: CircleCheck },
  failed: { label: "Failed", tone: "bad", icon: CircleAlert },
  cancelled: { label: "Cancelled", tone: "warn", icon: CircleSlash },
};

export function JobsTab() {
  const dataset = useDataset();
  const [state, setState] = useState("");
  const jobs = usePages({
    queryKey: ["jobs", dataset.id, state],
    queryFn: (next) => api.jobs(dataset.id, next, state),
    refetchInterval: (rows) => (rows.some((job) => OPEN.has(job.state)) ? 1500 : 8000),
  });
  const none =
    state === "" ? (
      <EmptyState icon={Server} title="No jobs yet">
        Preparing pictures for the model, training, imports and exports show up here, with their progress.
      </EmptyState>
    ) : (
      <p className="muted">There is no such job.</p>
    );
  return (
    <div className="stack">
      <select
        className="input input--small"
        aria-label="Which jobs"
        value={state}
        onChange={(event) => setState(event.target.value)}
      >
        <option value="">All jobs</option>
        {Object.entries(LOOKS).map(([one, { label }]) => (
          <option key={one} value={one}>
            {label}
          </option>
        ))}
      </select>
      <Paged list={jobs} loading="Loading jobs" empty={none} more="Show older jobs">
        {(list) => (
          <ul className="card" aria-label="Jobs">
            {list.map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </ul>
        )}
      </Paged>
    </div>
  );
}

function JobRow({ job }: { job: Job }) {
  const dataset = useDataset();
  const change = useChange(
    (what: "cancel" | "retry") => (what === "cancel" ? api.cancelJob(job.id) : api.retryJob(job.id)),
    [["jobs", dataset.id]],
  );
  const look = LOOKS[job.state];
  const open = OPEN.has(job.state);
  return (
    <li className="job">
      <div className="row">
        <look.icon size={18} className={job.state === "running" ? "spinner" : undefined} aria-hidden />
        <b className="grow">{job.title || job.kind.replaceAll("_", " ")}</b>
        <Badge tone={look.tone}>{look.label}</Badge>
        {open && (
          <Button size="small" look="quiet" icon={X} busy={change.isPending} onClick={() => change.mutate("cancel")}>
            Cancel
          </Button>
        )}
        {(job.state === "failed" || job.state === "cancelled") && (
          <Button size="small" icon={RotateCw} busy={change.isPending} onClick={() => change.mutate("retry")}>
            Try again
          </Button>
        )}
      </div>
      {job.state === "running" && <Bar value={job.progress || null} label={job.title} />}
      {job.error && job.state !== "succeeded" && <p className="down">{job.error.message}</p>}
      <p className="muted">
        {[
          open && job.message,
          job.created_by,
          ago(job.created_at),
          job.started_at && job.finished_at && `took ${took(job.started_at, job.finished_at)}`,
          job.attempts > 1 && `attempt ${job.attempts} of ${job.max_attempts}`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {job.attempts > 0 && <Log job={job} />}
    </li>
  );
}

/** What the job wrote down, asked for when it is opened and again while it runs. */
function Log({ job }: { job: Job }) {
  const [open, setOpen] = useState(false);
  const detail = useQuery({
    queryKey: ["job", job.id],
    queryFn: () => api.job(job.id),
    enabled: open,
    refetchInterval: OPEN.has(job.state) ? 2000 : false,
  });
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="small muted">Log</summary>
      {detail.isError && <p className="down">{messageOf(detail.error)}</p>}
      {detail.data && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keys
        <pre className="job__log" tabIndex={0}>
          {detail.data.log || "Nothing was written down."}
        </pre>
      )}
    </details>
  );
}

const took = (from: string, to: string): string => duration((new Date(to).getTime() - new Date(from).getTime()) / 1000);
