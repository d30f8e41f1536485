import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { FolderInput } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Refusal } from "../../api/types";
import { Bar, Button, Field, Note } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { type Rights, said } from "./RightsFields";

/** Pictures from a folder that the server offers; nothing is shown where it offers none. */
export function ServerFolder({ rights }: { rights: Rights }) {
  const dataset = useDataset();
  const offered = useQuery({
    queryKey: ["server-folders", dataset.id],
    queryFn: () => api.serverFolders(dataset.id),
    staleTime: 60_000,
  });
  const [folder, setFolder] = useState("");
  const start = useMutation({ mutationFn: () => api.addServerFolder(dataset.id, folder, said(rights)) });
  if (!offered.data || offered.data.folders.length === 0) return null;
  return (
    <div className="stack">
      <div className="row server-folder">
        <Field label="Folder of the server">
          {(id) => (
            <select id={id} className="input" value={folder} onChange={(event) => setFolder(event.target.value)}>
              <option value="">Choose one</option>
              {offered.data.folders.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <Button icon={FolderInput} disabled={folder === ""} busy={start.isPending} onClick={() => start.mutate()}>
          Add its pictures
        </Button>
      </div>
      {start.isError && <Note tone="bad">{messageOf(start.error)}</Note>}
      {start.data && <FolderJob id={start.data.id} />}
    </div>
  );
}

interface Outcome {
  added: number;
  known: number;
  refused: number;
  refusals: Refusal[];
}

/** How far the server is with a folder, and what it did not take. */
function FolderJob({ id }: { id: string }) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const job = useQuery({
    queryKey: ["job", id],
    queryFn: async () => {
      const found = await api.job(id);
      if (found.state === "succeeded") {
        for (const key of ["images", "dataset"]) void queries.invalidateQueries({ queryKey: [key, dataset.id] });
      }
      return found;
    },
    refetchInterval: (query) => (/queued|running/.test(query.state.data?.state ?? "queued") ? 1000 : false),
  });
  if (!job.data) return null;
  const { state, progress, message, error } = job.data;
  if (state === "queued" || state === "running") {
    return (
      <div className="stack stack--small">
        <Bar value={progress || null} label="Pictures of the folder" />
        <p className="muted small">{message || "waiting"}</p>
      </div>
    );
  }
  if (state !== "succeeded") return <Note tone="bad">{error?.message ?? "This was stopped."}</Note>;
  const outcome = job.data.result as unknown as Outcome;
  return (
    <>
      <Note tone={outcome.refused ? "warn" : "good"}>
        {`${outcome.added} added, ${outcome.known} there already, ${outcome.refused} not taken`}
      </Note>
      {outcome.refusals.length > 0 && (
        <ul className="upload__rejects">
          {outcome.refusals.map((refusal, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two folders may hold the same name; the list stays as it is
            <li key={`${refusal.name}-${index}`}>{`${refusal.name}: ${refusal.message}`}</li>
          ))}
        </ul>
      )}
    </>
  );
}
