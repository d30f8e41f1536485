import { useQuery } from "@tanstack/react-query";
import { api } from "../../api/endpoints";
import type { Refusal } from "../../api/types";
import { Bar, Note } from "../kit/kit";
import { keysOf, useAskAnew } from "../kit/useChange";
import { useDataset } from "./DatasetPage";

interface Outcome {
  added: number;
  known: number;
  refused: number;
  refusals: Refusal[];
}

/** How far the server is with pictures that it fetches by itself, and what it did not take. */
export function IntakeJob({ id, label }: { id: string; label: string }) {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const job = useQuery({
    queryKey: ["job", id],
    queryFn: async () => {
      const found = await api.job(id);
      if (found.state === "succeeded") {
        void askAnew(keysOf(dataset.id, "images", "dataset"));
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
        <Bar value={progress || null} label={label} />
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
