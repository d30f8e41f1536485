import { useQuery } from "@tanstack/react-query";
import { ArrowUpFromLine, Columns2, History } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { ModelVersion } from "../../api/types";
import { ago, score, short } from "../kit/format";
import { Badge, Button, buttonClass, ErrorState, Loading, type Tone } from "../kit/kit";
import { keysOf, useChange } from "../kit/useChange";
import { mayAnnotate, mayLead, useDataset } from "./DatasetPage";
import { partsText } from "./Descent";
import { DECISIONS, RunCard } from "./RunCard";
import { mixText } from "./schedule";
import { type Branch, familyOf } from "./versionTree";

export const STATES: Record<ModelVersion["state"], { label: string; tone?: Tone }> = {
  base: { label: "Base" },
  candidate: { label: "Candidate", tone: "info" },
  promoted: { label: "Promoted", tone: "good" },
  refused: { label: "Refused", tone: "warn" },
};

/** The family of the versions that can serve: which was trained from which, on what, and what was decided. */
export function ModelVersions() {
  const dataset = useDataset();
  const models = useQuery({ queryKey: ["models", dataset.id], queryFn: () => api.models(dataset.id) });
  if (models.isLoadingError) return <ErrorState error={models.error} retry={() => void models.refetch()} />;
  const list = models.data ?? [];
  return (
    <section className="stack" aria-labelledby="versions">
      <div className="row row--between">
        <h2 id="versions">Versions</h2>
        {list.length > 1 && mayAnnotate(dataset) && (
          <Link className={buttonClass(undefined, "small")} to={`/datasets/${dataset.id}/models/compare`}>
            <Columns2 size={17} aria-hidden />
            Compare two side by side
          </Link>
        )}
      </div>
      <div className="card card--pad">
        <Branches branches={familyOf(list)} label="Family of the versions" />
      </div>
    </section>
  );
}

function Branches({ branches, label }: { branches: readonly Branch[]; label?: string }) {
  return (
    <ul className="family" aria-label={label}>
      {branches.map((branch) => (
        <li key={branch.version.digest}>
          <Version version={branch.version} />
          {branch.children.length > 0 && <Branches branches={branch.children} />}
        </li>
      ))}
    </ul>
  );
}

function Version({ version }: { version: ModelVersion }) {
  const dataset = useDataset();
  const [open, setOpen] = useState(false);
  const state = STATES[version.state];
  const trained = version.trained_on;
  const restored = version.switches.filter((one) => one.kind === "rollback");
  return (
    <article className={version.serving ? "family__one family__one--serving" : "family__one"}>
      <div className="row row--between">
        <div className="row row--tight">
          <Link to={`../models/${version.digest}`} relative="path">
            <b>{version.name}</b>
          </Link>
          <span className="mono muted small">{short(version.digest)}</span>
          {version.serving && <Badge tone="good">Serving</Badge>}
          {!(version.serving && version.state === "base") && <Badge tone={state.tone}>{state.label}</Badge>}
          {restored.length > 0 && (
            <Badge tone={DECISIONS.rollback.tone} title={restored.map((one) => one.reason).join("\n")}>
              Restored{restored.length > 1 ? ` ${restored.length} times` : ""}
            </Badge>
          )}
        </div>
        <PutToWork version={version} />
      </div>
      <p className="muted small">
        {trained
          ? `Trained ${ago(version.created_at)} on ${partsText(trained.parts)}${
              Object.keys(trained.mix).length > 0 ? `; views of ${mixText(trained.mix)}` : ""
            }${trained.snapshot ? `; snapshot ${short(trained.snapshot)}` : ""}.`
          : `Came with the product or from outside${
              version.origin.licence ? `, licence ${version.origin.licence}` : ""
            }, ${ago(version.created_at)}.`}
      </p>
      <p className="small">
        Held-out IoU: {score(version.metrics.miou_1)} after 1 click, {score(version.metrics.miou_3)} after 3,{" "}
        {score(version.metrics.miou_box)} from a box
      </p>
      {trained && (
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary className="small">Curve and gate of training run {trained.run}</summary>
          {open && <Run id={trained.run} dataset={dataset.id} />}
        </details>
      )}
    </article>
  );
}

function Run({ id, dataset }: { id: number; dataset: number }) {
  const run = useQuery({ queryKey: ["run", dataset, id], queryFn: () => api.run(id) });
  if (run.isPending) return <Loading label="Loading the run" />;
  if (run.isLoadingError) return <ErrorState error={run.error} retry={() => void run.refetch()} />;
  return <RunCard run={run.data} />;
}

/** What never served is promoted, what did is put back: the same switch, undone in the same way. */
function PutToWork({ version }: { version: ModelVersion }) {
  const dataset = useDataset();
  const restore = useChange(
    () => api.restoreModel(dataset.id, version.digest),
    keysOf(dataset.id, "models", "loop", "runs"),
    `${version.name} serves the dataset now.`,
  );
  if (version.serving || !mayLead(dataset)) return null;
  const served = version.state === "base" || version.switches.some((one) => one.kind !== "refuse");
  return (
    <Button
      size="small"
      icon={served ? History : ArrowUpFromLine}
      busy={restore.isPending}
      aria-label={`${served ? "Restore" : "Promote"} ${version.name} ${short(version.digest)}`}
      onClick={() => restore.mutate()}
    >
      {served ? "Restore" : "Promote"}
    </Button>
  );
}
