import { Link } from "react-router";
import type { DescentStep, RunBrief, SnapshotUse } from "../../api/types";
import { ago, count, counted, short } from "../kit/format";
import { Badge } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { DECISIONS } from "./RunCard";
import { mixText } from "./schedule";

export const PARTS: Record<string, { name: string; use: string }> = {
  train: { name: "training", use: "learnt from it" },
  train_automatic: { name: "training, automatic", use: "learnt from it with little weight" },
  validation: { name: "validation", use: "was watched on it while it learnt" },
  held_out: { name: "held out", use: "was judged on it and never learnt from it" },
};

export const partName = (part: string): string => PARTS[part]?.name ?? part;

/** A model version, as a link to what it learnt from. */
function VersionLink({ version }: { version: DescentStep["version"] }) {
  const dataset = useDataset();
  return (
    <>
      <Link to={`/datasets/${dataset.id}/models/${version.digest}`}>{version.name}</Link>{" "}
      <span className="mono muted small">{short(version.digest)}</span>
    </>
  );
}

/** From a version back to what shipped: each with the run that made it. */
export function Descent({ steps, label }: { steps: readonly DescentStep[]; label: string }) {
  return (
    <ol className="descent" aria-label={label}>
      {steps.map(({ version, run }) => (
        <li key={version.digest}>
          <p>
            <VersionLink version={version} />
          </p>
          {run ? <RunLine run={run} /> : <p className="muted small">{originText(version)}</p>}
        </li>
      ))}
    </ol>
  );
}

function originText(version: DescentStep["version"]): string {
  const licence = version.origin.licence ? `, licence ${version.origin.licence}` : "";
  return `Came with the product or from outside${licence}.`;
}

/** One run in two lines: what it learnt from, and how it was judged. */
function RunLine({ run }: { run: RunBrief }) {
  return (
    <div className="stack stack--small small">
      <p className="muted">
        Training run {run.id}, {ago(run.created_at)}
        {run.snapshot && (
          <>
            : {partsText(run.snapshot.counts)}, snapshot <span className="mono">{short(run.snapshot.digest)}</span>
          </>
        )}
        {Object.keys(run.mix).length > 0 && `; views of ${mixText(run.mix)}`}.
      </p>
      {run.reason && <p className="muted">{run.reason}</p>}
    </div>
  );
}

/** "24 masks for training, 8 held out". */
export function partsText(parts: Record<string, { masks?: number } | number>): string {
  const told = Object.entries(parts)
    .map(([part, held]) => [part, typeof held === "number" ? held : (held.masks ?? 0)] as const)
    .filter(([, masks]) => masks > 0)
    .map(([part, masks], at) => `${at === 0 ? counted(masks, "mask") : count(masks)} ${partName(part)}`);
  return told.join(", ") || "no masks";
}

/** Snapshots that held a mask or an image, and what each led to. */
export function Uses({ uses }: { uses: readonly SnapshotUse[] }) {
  if (uses.length === 0) return <p className="muted">No training has used it yet.</p>;
  return (
    <ol className="descent" aria-label="Trainings that used it">
      {uses.map((use) => (
        <li key={use.snapshot.digest} className="stack stack--small">
          {use.runs.length === 0 && (
            <p className="muted small">
              Frozen {ago(use.snapshot.created_at)}, part {Object.keys(use.parts).map(partName).join(", ")}; no run came
              of it.
            </p>
          )}
          {use.runs.map((run) => (
            <UsedBy key={run.id} use={use} run={run} />
          ))}
        </li>
      ))}
    </ol>
  );
}

function UsedBy({ use, run }: { use: SnapshotUse; run: RunBrief }) {
  const parts = Object.keys(use.parts);
  const decision = run.decision && DECISIONS[run.decision];
  return (
    <div className="stack stack--small">
      <p>
        {run.candidate ? <VersionLink version={run.candidate} /> : `Training run ${run.id}`}{" "}
        {decision && <Badge tone={decision.tone}>{decision.label}</Badge>}
      </p>
      <p className="muted small">
        {run.candidate && `Training run ${run.id}, `}
        {ago(run.created_at)}: the model {parts.map((part) => PARTS[part]?.use ?? part).join("; ")}.
      </p>
    </div>
  );
}
