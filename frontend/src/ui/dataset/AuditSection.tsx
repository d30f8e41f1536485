import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ClipboardCheck } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Audit, Audits, Figure } from "../../api/types";
import { NumberField, SelectField } from "../kit/fields";
import { ago, counted } from "../kit/format";
import { Badge, Bar, Button, buttonClass, EmptyState, ErrorState, Loading, Note, TableScroll } from "../kit/kit";
import { useChange } from "../kit/useChange";
import { mayAnnotate, mayLead, useDataset } from "./DatasetPage";

type Source = Audit["source"];

const SOURCES: Record<Source, string> = {
  automatic: "masks that the model accepted by itself",
  accepted: "all accepted masks",
};

/** People correct every mask of a random sample: what the masks are worth. */
export function AuditSection() {
  const dataset = useDataset();
  const audits = useQuery({
    queryKey: ["audits", dataset.id],
    queryFn: () => api.audits(dataset.id),
    refetchInterval: (query) => (query.state.data?.audits[0]?.state === "open" ? 5000 : false),
  });
  if (audits.isPending) return <Loading label="Loading the audits" />;
  if (audits.isLoadingError) return <ErrorState error={audits.error} retry={() => void audits.refetch()} />;
  const [newest, ...earlier] = audits.data.audits;
  const open = newest?.state === "open";
  return (
    <section className="stack" aria-labelledby="audit">
      <div className="stack stack--small">
        <h2 id="audit">Audit</h2>
        <p className="muted small prose">
          A random sample of images goes to people who made nothing on them. They correct every mask; the IoU of each
          mask before and after says how good the masks of the whole dataset are. A mask that they delete counts as 0.
          For the automatic masks of SA-1B such an audit found 94 % above 0.90 and 97 % above 0.75.
        </p>
      </div>
      {newest && <AuditCard audit={newest} left={audits.data.left_for_you} />}
      {!open && mayLead(dataset) && <StartAudit audits={audits.data} />}
      {!newest && !mayLead(dataset) && (
        <EmptyState icon={ClipboardCheck} title="No audit yet">
          A lead of the dataset can draw a sample.
        </EmptyState>
      )}
      {earlier.length > 0 && <Earlier audits={earlier} />}
    </section>
  );
}

function AuditCard({ audit, left }: { audit: Audit; left: number }) {
  const dataset = useDataset();
  const close = useChange(() => api.closeAudit(dataset.id, audit.id), [["audits", dataset.id]]);
  const { numbers } = audit;
  const open = audit.state === "open";
  return (
    <section className="card card--pad stack" aria-label={open ? "Audit in progress" : "Latest audit"}>
      <div className="row row--between">
        <div>
          <h3>
            {counted(audit.size, "image")}, {SOURCES[audit.source]}
          </h3>
          <p className="muted small">
            seed {audit.seed} · drawn {audit.created_by && `by ${audit.created_by} `}
            {ago(audit.created_at)}
            {audit.closed_at && ` · closed ${ago(audit.closed_at)}`}
          </p>
        </div>
        <Badge tone={open ? "info" : "good"}>{open ? "In progress" : "Published"}</Badge>
      </div>
      {open && (
        <div className="stack stack--small">
          <Bar value={numbers.images / audit.size} label="Images of the sample that were corrected" />
          <p className="muted small">
            {numbers.images} of {audit.size} corrected
            {audit.tasks.claimed > 0 && `, ${audit.tasks.claimed} in work`}
            {audit.tasks.skipped > 0 && `, ${audit.tasks.skipped} skipped`}
          </p>
        </div>
      )}
      {numbers.mean_iou ? (
        <Figures numbers={numbers} />
      ) : (
        <Note>The figures appear with the first corrected image.</Note>
      )}
      {open && (
        <div className="row">
          {left > 0 && (
            <Link className={buttonClass("primary")} to={`/datasets/${dataset.id}/label?work=audit`}>
              <ClipboardCheck size={17} aria-hidden />
              Correct the next image
            </Link>
          )}
          {left === 0 && mayAnnotate(dataset) && audit.tasks.open > 0 && (
            <p className="muted small">You worked on the images that are left: somebody else has to correct them.</p>
          )}
          {mayLead(dataset) && (
            <Button busy={close.isPending} onClick={() => close.mutate()}>
              Close and publish
            </Button>
          )}
        </div>
      )}
    </section>
  );
}

function Figures({ numbers }: { numbers: Audit["numbers"] }) {
  // One image says nothing of how much images differ.
  const several = numbers.images > 1;
  return (
    <>
      <div className="facts">
        <Fact figure={numbers.above_90} label="of masks above 0.90 IoU" shown={percentage} interval={several} />
        <Fact figure={numbers.above_75} label="above 0.75 IoU" shown={percentage} interval={several} />
        <Fact figure={numbers.mean_iou} label="mean IoU" shown={(value) => value.toFixed(3)} interval={several} />
      </div>
      <p className="muted small">
        {counted(numbers.pairs, "mask")} on {counted(numbers.images, "image")}: {numbers.kept} kept, {numbers.corrected}{" "}
        corrected, {numbers.deleted} deleted. {counted(numbers.added, "missing object")} added.{" "}
        {several ? "In brackets: 95 % bootstrap interval over images." : "Intervals need more than one image."}
      </p>
    </>
  );
}

interface FactProps {
  figure: Figure | null;
  label: string;
  shown: (value: number) => string;
  interval: boolean;
}

function Fact({ figure, label, shown, interval }: FactProps) {
  if (!figure) return null;
  return (
    <div>
      <span className="fact__value">{shown(figure.value)}</span>
      <span className="fact__label">
        {label}
        {interval && ` (${shown(figure.low)} to ${shown(figure.high)})`}
      </span>
    </div>
  );
}

const percentage = (value: number): string => `${(value * 100).toFixed(value === 0 || value === 1 ? 0 : 1)} %`;

function StartAudit({ audits }: { audits: Audits }) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const { eligible } = audits;
  const [source, setSource] = useState<Source>(eligible.automatic ? "automatic" : "accepted");
  const [size, setSize] = useState(20);
  const [seed, setSeed] = useState(0);
  const start = useMutation({
    mutationFn: () => api.startAudit(dataset.id, { size, seed, source }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["audits", dataset.id] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start.mutate();
  };
  const images = eligible[source] ?? 0;
  return (
    <form className="card card--pad stack" onSubmit={submit}>
      <h3>New audit</h3>
      {start.isError && <Note tone="bad">{messageOf(start.error)}</Note>}
      <div className="fields">
        <SelectField label="Masks" value={source} onChange={setSource}>
          {(Object.keys(SOURCES) as Source[]).map((one) => (
            <option key={one} value={one}>
              {SOURCES[one]}
            </option>
          ))}
        </SelectField>
        <NumberField
          label="Images"
          hint={`${counted(images, "image")} can be drawn`}
          min={1}
          max={10_000}
          value={size}
          onChange={setSize}
        />
        <NumberField
          label="Seed"
          hint="The same seed draws the same images"
          min={0}
          max={2_147_483_647}
          value={seed}
          onChange={setSeed}
        />
      </div>
      {images === 0 && (
        <p className="muted small">
          Nothing to draw: an image needs such masks, and nobody may have it in the queue any more.
        </p>
      )}
      <div className="row">
        <Button type="submit" look="primary" icon={ClipboardCheck} disabled={images === 0} busy={start.isPending}>
          Draw the sample
        </Button>
      </div>
    </form>
  );
}

function Earlier({ audits }: { audits: Audit[] }) {
  return (
    <details className="stack">
      <summary>Earlier audits ({audits.length})</summary>
      <TableScroll label="Earlier audits" card>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Closed</th>
              <th scope="col">Masks</th>
              <th scope="col" className="number">
                Images
              </th>
              <th scope="col" className="number">
                Pairs
              </th>
              <th scope="col" className="number">
                Above 0.90
              </th>
              <th scope="col" className="number">
                Above 0.75
              </th>
              <th scope="col" className="number">
                Mean IoU
              </th>
            </tr>
          </thead>
          <tbody>
            {audits.map((audit) => (
              <tr key={audit.id}>
                <td className="muted small">{audit.closed_at ? ago(audit.closed_at) : "–"}</td>
                <td>{SOURCES[audit.source]}</td>
                <td className="number">{audit.numbers.images}</td>
                <td className="number">{audit.numbers.pairs}</td>
                <td className="number">{audit.numbers.above_90 ? percentage(audit.numbers.above_90.value) : "–"}</td>
                <td className="number">{audit.numbers.above_75 ? percentage(audit.numbers.above_75.value) : "–"}</td>
                <td className="number">{audit.numbers.mean_iou?.value.toFixed(3) ?? "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </details>
  );
}
