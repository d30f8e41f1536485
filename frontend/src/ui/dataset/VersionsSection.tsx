import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Snowflake } from "lucide-react";
import { type FormEvent, useEffect, useState } from "react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { DatasetVersion, ExportFilter } from "../../api/types";
import { SelectField, TextField } from "../kit/fields";
import { ago, count, counted } from "../kit/format";
import { Button, ErrorState, Loading, Note, TableScroll } from "../kit/kit";
import { useToast } from "../kit/toast";
import { mayReview, useDataset } from "./DatasetPage";
import { isSet } from "./ExportFilters";

export const versionsQuery = (dataset: number) => ({
  queryKey: ["versions", dataset],
  queryFn: () => api.versions(dataset),
});

/** States of the dataset that were frozen for good, and what changed from one to another. */
export function VersionsSection({ filters }: { filters: ExportFilter }) {
  const dataset = useDataset();
  const versions = useQuery(versionsQuery(dataset.id));
  if (versions.isPending) return <Loading label="Loading the versions" />;
  if (versions.isLoadingError) return <ErrorState error={versions.error} retry={() => void versions.refetch()} />;
  const list = versions.data;
  return (
    <section className="stack" aria-labelledby="versions">
      <h2 id="versions">Versions</h2>
      <p className="muted">
        A version is what the dataset holds at one moment: it never changes, can be exported later, and be compared.
      </p>
      {mayReview(dataset) && dataset.image_count > 0 && <Freeze filters={filters} />}
      {list.length > 0 && <VersionTable versions={list} />}
      {list.length > 1 && <Compare versions={list} />}
    </section>
  );
}

/** Freezes what the filters of the export choose now. */
function Freeze({ filters }: { filters: ExportFilter }) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const toast = useToast();
  const [note, setNote] = useState("");
  const [waiting, setWaiting] = useState<string | null>(null);
  const job = useQuery({
    queryKey: ["job", waiting],
    queryFn: () => api.job(waiting ?? ""),
    enabled: waiting !== null,
    refetchInterval: 1000,
  });
  const state = waiting === null ? null : job.data?.state;
  useEffect(() => {
    if (!state || state === "queued" || state === "running") return;
    if (state === "succeeded") setNote("");
    else toast(job.data?.error?.message ?? "The version was not frozen.");
    setWaiting(null);
    void queries.invalidateQueries({ queryKey: ["versions", dataset.id] });
  }, [state, job.data, queries, dataset.id, toast]);
  const start = useMutation({
    mutationFn: () => api.freezeVersion(dataset.id, { note, filters }),
    onSuccess: (started) => setWaiting(started.id),
    onError: (error) => toast(messageOf(error)),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start.mutate();
  };
  const filtered = Object.values(filters).some(isSet);
  return (
    <form className="card card--pad stack" onSubmit={submit}>
      <TextField
        label="Note"
        hint={filtered ? "The filters of the export count here too." : undefined}
        maxLength={500}
        placeholder="What this state is for"
        value={note}
        onChange={setNote}
      />
      <div className="row">
        <Button type="submit" icon={Snowflake} busy={start.isPending || waiting !== null}>
          Freeze a version
        </Button>
      </div>
    </form>
  );
}

function VersionTable({ versions }: { versions: DatasetVersion[] }) {
  return (
    <TableScroll card label="Versions">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Images</th>
            <th scope="col">Masks</th>
            <th scope="col">Digest</th>
            <th scope="col">Frozen</th>
          </tr>
        </thead>
        <tbody>
          {versions.map((version) => (
            <tr key={version.number}>
              <th scope="row">
                {version.number}
                {version.note && <span className="muted small"> {version.note}</span>}
                {Object.keys(version.filters as object).length > 0 && <span className="muted small"> (filtered)</span>}
              </th>
              <td>{count(version.images)}</td>
              <td>{count(version.masks)}</td>
              <td>
                <code title={version.digest}>{version.digest.slice(0, 12)}</code>
              </td>
              <td>
                {ago(version.created_at)}
                {version.created_by && ` by ${version.created_by}`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function Compare({ versions }: { versions: DatasetVersion[] }) {
  const dataset = useDataset();
  const [chosen, setChosen] = useState<{ old?: number; new?: number }>({});
  const after = chosen.new ?? versions[0]?.number ?? 0;
  const before = chosen.old ?? versions[1]?.number ?? 0;
  const found = useQuery({
    queryKey: ["version-changes", dataset.id, before, after],
    queryFn: () => api.versionChanges(dataset.id, before, after),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const pick = (label: string, value: number, change: (number: number) => void) => (
    <SelectField label={label} value={String(value)} onChange={(chosen) => change(Number(chosen))}>
      {versions.map((version) => (
        <option key={version.number} value={version.number}>
          {version.number} {version.note.slice(0, 60)}
        </option>
      ))}
    </SelectField>
  );
  const difference = found.data;
  return (
    <div className="card card--pad stack">
      <h3>What changed</h3>
      <div className="fields">
        {pick("From version", before, (number) => setChosen({ ...chosen, old: number }))}
        {pick("To version", after, (number) => setChosen({ ...chosen, new: number }))}
      </div>
      {found.isError && <Note tone="bad">{messageOf(found.error)}</Note>}
      {difference && (
        <>
          <p role="status">
            {tally("image", difference.images)}; {tally("mask", difference.masks)}
          </p>
          {difference.listed.length > 0 && (
            <details>
              <summary>Images that differ</summary>
              <ul className="differences">
                {difference.listed.map((row) => (
                  <li key={row.image}>
                    {row.file_name ? (
                      <Link to={`/images/${row.image}`}>{row.file_name}</Link>
                    ) : (
                      "an image removed since"
                    )}
                    <span className="muted small">
                      {[
                        row.what,
                        row.added > 0 && `${counted(row.added, "mask")} added`,
                        row.removed > 0 && `${counted(row.removed, "mask")} removed`,
                        row.changed > 0 && `${counted(row.changed, "mask")} changed`,
                      ]
                        .filter(Boolean)
                        .join(", ")}
                    </span>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </>
      )}
    </div>
  );
}

function tally(noun: string, found: { added: number; removed: number; changed: number; kept: number }): string {
  const { added, removed, changed, kept } = found;
  return `${counted(added, noun)} added, ${count(removed)} removed, ${count(changed)} changed, ${count(kept)} kept`;
}
