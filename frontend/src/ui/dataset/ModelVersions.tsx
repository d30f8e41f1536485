import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { History } from "lucide-react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { ModelVersion } from "../../api/types";
import { ago, score, short } from "../kit/format";
import { Badge, Button, ErrorState, TableScroll, type Tone } from "../kit/kit";
import { useToast } from "../kit/toast";
import { useDataset } from "./DatasetPage";

export const STATES: Record<ModelVersion["state"], { label: string; tone?: Tone }> = {
  base: { label: "Base" },
  candidate: { label: "Candidate", tone: "info" },
  promoted: { label: "Promoted", tone: "good" },
  refused: { label: "Refused", tone: "warn" },
};

/** Every version that can serve; any of them is put back to work by one click. */
export function ModelVersions() {
  const dataset = useDataset();
  const models = useQuery({ queryKey: ["models", dataset.id], queryFn: () => api.models(dataset.id) });
  if (models.isError) return <ErrorState error={models.error} retry={() => void models.refetch()} />;
  const list = models.data ?? [];
  return (
    <section className="stack" aria-labelledby="versions">
      <h2 id="versions">Versions</h2>
      <TableScroll label="Versions of the model" card>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">State</th>
              <th scope="col" className="number">
                1 click
              </th>
              <th scope="col" className="number">
                Box
              </th>
              <th scope="col">Made</th>
              <th scope="col">
                <span className="sr-only">Restore</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((version) => (
              <VersionRow key={version.digest} version={version} />
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}

function VersionRow({ version }: { version: ModelVersion }) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const toast = useToast();
  const restore = useMutation({
    mutationFn: () => api.restoreModel(dataset.id, version.digest),
    onSuccess: () => toast(`${version.name} serves the dataset now.`),
    onError: (error) => toast(messageOf(error)),
    onSettled: () =>
      Promise.all(["models", "loop", "runs"].map((key) => queries.invalidateQueries({ queryKey: [key, dataset.id] }))),
  });
  const state = STATES[version.state];
  return (
    <tr>
      <td>
        <Link to={`../models/${version.digest}`} relative="path">
          <b>{version.name}</b>
        </Link>
        <br />
        <span className="mono muted">{short(version.digest)}</span>
        {version.origin.licence && <span className="muted small"> licence {version.origin.licence}</span>}
      </td>
      <td>{version.serving ? <Badge tone="good">Serving</Badge> : <Badge tone={state.tone}>{state.label}</Badge>}</td>
      <td className="number">{score(version.metrics.miou_1)}</td>
      <td className="number">{score(version.metrics.miou_box)}</td>
      <td className="muted small">{ago(version.created_at)}</td>
      <td className="number">
        {!version.serving && dataset.role === "lead" && (
          <Button size="small" icon={History} busy={restore.isPending} onClick={() => restore.mutate()}>
            Restore
          </Button>
        )}
      </td>
    </tr>
  );
}
