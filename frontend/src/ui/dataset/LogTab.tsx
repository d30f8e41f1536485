import { useQuery } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import type { Event } from "../../api/types";
import { SelectField } from "../kit/fields";
import { EmptyState, TableScroll } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { useDataset } from "./DatasetPage";
import { WebhooksSection } from "./WebhooksSection";

const SUBJECTS = [
  "mask",
  "task",
  "review",
  "member",
  "group",
  "invitation",
  "webhook",
  "image",
  "video",
  "track",
  "model",
  "audit",
  "export",
  "import",
  "job",
];

const ACTIONS: Record<string, string> = {
  "mask:put": "saved a mask",
  "mask:delete": "deleted a mask",
  "mask-restore:post": "restored a mask",
  "task-submit:post": "submitted a picture",
  "task-skip:post": "skipped a picture",
  "review-item:put": "judged a mask",
  "task-review:post": "returned a picture",
  "consensus:post": "merged two people's masks",
  "consensus-undo:post": "undid a merge of masks",
  "group:patch": "changed a group with a role here",
  "group:delete": "deleted a group with a role here",
  "dataset-groups:post": "gave a group a role",
  "dataset-group:delete": "took the role from a group",
  "members:post": "added a person",
  "member:patch": "changed a person",
  "member:delete": "removed a person",
  "webhooks:post": "made a webhook",
  "webhook:patch": "changed a webhook",
  "webhook:delete": "removed a webhook",
  "webhook-deliveries:post": "tested a webhook",
  "invitations:post": "made an invitation",
  "invitation-revoke:delete": "took back an invitation",
  "invitation:post": "joined by a link",
  "images:post": "uploaded pictures",
  "upload:patch": "uploaded a file",
  "admin:patch": "changed the dataset as an operator",
  "image:patch": "changed a picture",
  "image:delete": "deleted a picture",
  "video:delete": "deleted a video",
  "video-tracks:post": "began to follow something through",
  "track:patch": "named a track",
  "track:delete": "ended a track",
  "track-mask:put": "put a mask to a track",
  "track-mask:delete": "took a mask out of a track",
  "track-propagate:post": "had the model follow something through",
  "image-mapping:post": "changed which values are black and white in",
  "server-folders:post": "took in a folder of the server",
  "url-lists:post": "fetched pictures from addresses",
  "rights:post": "set the rights of pictures",
  "removals:post": "removed pictures for good",
  "exports:post": "started an export",
  "imports:post": "started an import",
  "versions:post": "froze a version",
  "training-runs:post": "started a retraining",
  "model-restore:post": "put a model into service",
  "comparisons:post": "compared two models side by side",
  "mask-index:post": "had masks described, to find those alike",
  "dataset-alike:post": "had everything like something proposed",
  "shadow-start:post": "compared a model on live prompts",
  "retraining:patch": "changed the retraining",
  "stage-rule:patch": "changed a stage's rule",
  "stage-move:post": "moved the dataset to a stage",
  "audits:post": "started an audit",
  "audit-close:post": "closed an audit",
  "job-cancel:post": "cancelled a job",
  "job-retry:post": "tried a job again",
  "datasets:post": "made the dataset",
  "dataset:patch": "changed the dataset",
};

/** For leads: who did what, and which other programs are told. */
export function LogTab() {
  return (
    <div className="stack stack--large">
      <Log />
      <WebhooksSection />
    </div>
  );
}

/** Newest first, by person and by kind of thing. */
function Log() {
  const dataset = useDataset();
  const [actor, setActor] = useState("");
  const [subject, setSubject] = useState("");
  const members = useQuery({ queryKey: ["members", dataset.id], queryFn: () => api.members(dataset.id) });
  const log = usePages({
    queryKey: ["events", dataset.id, actor, subject],
    queryFn: (next) => api.events(dataset.id, { actor, subject }, next),
  });
  const nothing = (
    <EmptyState icon={ScrollText} title="Nothing here">
      Every change that people make through pages or scripts leaves a line.
    </EmptyState>
  );
  return (
    <section className="stack" aria-labelledby="log">
      <h2 id="log">Who did what</h2>
      <div className="fields">
        <SelectField label="Person" value={actor} onChange={setActor}>
          <option value="">Everybody</option>
          {(members.data ?? []).map((one) => (
            <option key={one.id}>{one.username}</option>
          ))}
        </SelectField>
        <SelectField label="About" value={subject} onChange={setSubject}>
          <option value="">Everything</option>
          {SUBJECTS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </SelectField>
      </div>
      <Paged list={log} loading="Loading the log" empty={nothing} more="Show older lines">
        {(rows) => <Rows rows={rows} />}
      </Paged>
    </section>
  );
}

function Rows({ rows }: { rows: readonly Event[] }) {
  return (
    <TableScroll label="Log" card>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Details</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              <td className="muted small">
                <time dateTime={row.at}>{new Date(row.at).toLocaleString("en-GB")}</time>
              </td>
              <td>{row.actor ?? "the machine"}</td>
              <td>
                {ACTIONS[row.action] ?? row.action.replaceAll("-", " ").replace(":", ": ")} <Subject row={row} />
              </td>
              <td className="small muted">{detailsText(row.details)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Subject({ row }: { row: Event }) {
  const dataset = useDataset();
  if (row.subject_id === "" || row.subject === "dataset") return null;
  if (row.subject === "mask") {
    return <Link to={`/datasets/${dataset.id}/masks/${row.subject_id}`}>{row.subject_id.slice(0, 8)}</Link>;
  }
  if (row.subject === "image" && !row.action.endsWith(":delete"))
    return <Link to={`/images/${row.subject_id}`}>{row.subject_id}</Link>;
  return <span className="mono muted small">{row.subject_id.slice(0, 8)}</span>;
}

const detailsText = (details: Event["details"]): string =>
  Object.entries(details)
    .map(([key, value]) => `${key.replaceAll("_", " ")}: ${String(value)}`)
    .join(", ");
