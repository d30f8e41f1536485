import { useQuery } from "@tanstack/react-query";
import { Scale } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/endpoints";
import type { Difference, Shadow } from "../../api/types";
import { ago, counted, percent, short } from "../kit/format";
import { Button, ErrorState, Note, TableScroll } from "../kit/kit";
import { useChange } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";

/** Other versions on the prompts that people really gave: nobody who works sees their answers. */
export function ShadowComparisons() {
  const dataset = useDataset();
  const [digest, setDigest] = useState("");
  const models = useQuery({ queryKey: ["models", dataset.id], queryFn: () => api.models(dataset.id) });
  const shadows = useQuery({
    queryKey: ["shadows", dataset.id],
    queryFn: () => api.shadows(dataset.id),
    refetchInterval: (query) => (query.state.data?.some(isOpen) ? 2000 : false),
  });
  const start = useChange((chosen: string) => api.startShadow(dataset.id, chosen), [["shadows", dataset.id]]);
  const others = (models.data ?? []).filter((version) => !version.serving);
  if (shadows.isLoadingError) return <ErrorState error={shadows.error} retry={() => void shadows.refetch()} />;
  if (others.length === 0) return null;
  const chosen = others.some((version) => version.digest === digest) ? digest : (others[0]?.digest ?? "");
  return (
    <section className="stack" aria-labelledby="shadows">
      <h2 id="shadows">On live prompts</h2>
      <p className="muted small">
        The prompts that people gave since a version was made, replayed through it and through the serving model, beside
        the work. People saw the serving model's masks while they worked, which favours it.
      </p>
      {mayLead(dataset) && (
        <div className="row compare">
          <label htmlFor="shadow-version" className="small">
            Compare
          </label>
          <select
            id="shadow-version"
            className="input"
            value={chosen}
            onChange={(event) => setDigest(event.target.value)}
          >
            {others.map((version) => (
              <option key={version.digest} value={version.digest}>
                {version.name} ({short(version.digest)})
              </option>
            ))}
          </select>
          <Button icon={Scale} busy={start.isPending} onClick={() => start.mutate(chosen)}>
            With the serving model
          </Button>
        </div>
      )}
      {(shadows.data ?? []).map((shadow) => (
        <Outcome key={shadow.id} shadow={shadow} />
      ))}
    </section>
  );
}

const isOpen = (shadow: Shadow): boolean => shadow.finished_at === null && shadow.error_code === "";

function Outcome({ shadow }: { shadow: Shadow }) {
  const { result } = shadow;
  const title = `${shadow.other_name} (${short(shadow.other)}) beside ${short(shadow.serving)}`;
  if (!result) {
    return (
      <Note tone={isOpen(shadow) ? "info" : "bad"}>
        {title}: {shadow.message}
      </Note>
    );
  }
  return (
    <div className="card card--pad stack stack--small">
      <p>
        <b>{title}</b>{" "}
        <span className="muted small">
          {counted(result.masks, "mask")} on {counted(result.images, "image")}, {counted(result.prompts, "prompt")},{" "}
          {ago(shadow.created_at)}
        </span>
      </p>
      <TableScroll label={`IoU to the accepted masks: ${title}`}>
        <table className="table table--figures">
          <caption className="muted small">IoU to the mask that the person accepted</caption>
          <thead>
            <tr>
              <th scope="col">Masks</th>
              <th scope="col" className="number">
                Serving
              </th>
              <th scope="col" className="number">
                Other
              </th>
              <th scope="col" className="number">
                Change
              </th>
              <th scope="col" className="number">
                Interval
              </th>
            </tr>
          </thead>
          <tbody>
            <Line label={`All (${result.masks})`} value={result.all} />
            {result.edited && <Line label={`Corrected by hand (${result.edited.masks})`} value={result.edited} />}
          </tbody>
        </table>
      </TableScroll>
      <p className="muted small">
        Both answers agree with IoU {result.agreement.toFixed(3)} on average; {percent(result.agreed)} of them with 0.9
        or more.{result.on_training_images && " Other images had too few prompts, so training images take part."}
      </p>
    </div>
  );
}

function Line({ label, value }: { label: string; value: Difference }) {
  const sure = value.low > 0 ? "up" : value.high < 0 ? "down" : undefined;
  return (
    <tr>
      <th scope="row">{label}</th>
      <td className="number">{value.serving.toFixed(3)}</td>
      <td className="number">{value.candidate.toFixed(3)}</td>
      <td className="number">
        <span className={sure}>{signed(value.mean)}</span>
      </td>
      <td className="number muted">
        {signed(value.low)} to {signed(value.high)}
      </td>
    </tr>
  );
}

const signed = (value: number): string => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(3)}`;
