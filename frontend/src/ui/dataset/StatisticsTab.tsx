import { useMutation, useQuery } from "@tanstack/react-query";
import { ChartColumn, FileText, RefreshCw } from "lucide-react";
import { useEffect } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Figures, NamedCount } from "../../api/types";
import { ago, count, counted } from "../kit/format";
import { Button, buttonClass, EmptyState, ErrorState, Loading, Note } from "../kit/kit";
import { useShow } from "../kit/useChange";
import { useDataset } from "./DatasetPage";
import { CentreMap, Histogram } from "./Histogram";
import { CONSENTS } from "./RightsFields";
import { STAGE_NAMES } from "./stageNames";

const SOURCES: Record<string, string> = {
  model: "Model, as offered",
  model_edited: "Model, edited",
  hand: "By hand",
  imported: "Imported",
};
const SPLITS: Record<string, string> = { train: "Training", validation: "Validation", held_out: "Held out" };

export function StatisticsTab() {
  const dataset = useDataset();
  const show = useShow();
  const key = ["statistics", dataset.id];
  const statistics = useQuery({
    queryKey: key,
    queryFn: () => api.statistics(dataset.id),
    refetchInterval: (query) => (query.state.data?.counting ? 1000 : false),
  });
  const { mutate, isError, error, isPending } = useMutation({
    mutationFn: () => api.countStatistics(dataset.id),
    onSuccess: (answer) => show(key, answer),
  });
  // Whoever looks wants today's figures; what is there already is shown meanwhile.
  const stale = statistics.data !== undefined && !statistics.data.current && !statistics.data.counting;
  useEffect(() => {
    if (stale) mutate();
  }, [stale, mutate]);
  if (statistics.isPending) return <Loading label="Loading the statistics" />;
  if (statistics.isLoadingError) return <ErrorState error={statistics.error} retry={() => void statistics.refetch()} />;
  const { figures, counted_at: when, counting } = statistics.data;
  return (
    <section className="stack stack--large" aria-label="Statistics">
      <div className="row row--between">
        <p className="muted" role="status">
          {counting ? "Counting" : when ? `Counted ${ago(when)}` : ""}
        </p>
        <div className="row">
          <Button icon={RefreshCw} busy={isPending || counting} onClick={() => mutate()}>
            Count again
          </Button>
          <a className={buttonClass()} href={api.datasheetUrl(dataset.id)} download>
            <FileText size={17} aria-hidden />
            Datasheet
          </a>
        </div>
      </div>
      {isError && <Note tone="bad">{messageOf(error)}</Note>}
      {!figures && !isError && <Loading label="Counting for the first time" />}
      {figures && figures.images === 0 && (
        <EmptyState icon={ChartColumn} title="Nothing to count yet">
          Figures appear with the first pictures, and those of masks with the first accepted one.
        </EmptyState>
      )}
      {figures && figures.images > 0 && <Charts figures={figures} />}
    </section>
  );
}

function Charts({ figures }: { figures: Figures }) {
  const shares = (counts: readonly number[]) =>
    counts.map((value, place) => ({ name: `${(place / counts.length).toFixed(2)}`, value }));
  const sampled = figures.concavity_masks < figures.masks;
  return (
    <>
      <div className="charts">
        <Histogram
          title="Masks per image"
          bars={figures.masks_per_image.map((one) => ({ name: one.name, value: one.images }))}
          unit="image"
        />
        <Histogram
          title="Picture sizes"
          note="Megapixels"
          bars={figures.megapixels.map((one) => ({ name: one.name, value: one.images }))}
          unit="image"
        />
        {figures.masks > 0 && (
          <>
            <CentreMap
              title="Where masks lie"
              note="Centres of their boxes, all images on one"
              grid={figures.centres}
            />
            <Histogram
              title="Relative size"
              note="Root of a mask's share of its image"
              bars={shares(figures.relative_sizes)}
              unit="mask"
            />
            <Histogram
              title="Concavity"
              note={`1 - area / area of the convex hull${sampled ? `, of ${count(figures.concavity_masks)} masks` : ""}`}
              bars={shares(figures.concavity)}
              unit="mask"
            />
          </>
        )}
      </div>
      <div className="charts">
        {figures.masks > 0 && (
          <>
            <Names title="Categories" rows={figures.categories} empty="no category" unit="mask" />
            <Names title="Made by" rows={figures.sources} labels={SOURCES} unit="mask" />
            <Names title="Stages" rows={figures.stages} labels={STAGE_NAMES} unit="mask" />
          </>
        )}
        <Names title="Splits" rows={figures.splits} labels={SPLITS} unit="image" />
        <Names title="Licences" rows={figures.licences} empty="not stated" unit="image" />
        <Names
          title="Consent"
          rows={figures.consents}
          labels={Object.fromEntries(CONSENTS.map((one) => [one.value, one.label]))}
          empty="not known"
          unit="image"
        />
        <Names title="Kinds of files" rows={figures.kinds} unit="image" />
        <Names
          title="Most frequent sizes"
          rows={figures.sizes.slice(0, 10).map((one) => ({ name: `${one.width} x ${one.height}`, count: one.images }))}
          unit="image"
        />
      </div>
    </>
  );
}

interface NamesProps {
  title: string;
  rows: readonly NamedCount[];
  labels?: Record<string, string>;
  /** What stands for rows without a name. */
  empty?: string;
  unit: string;
}

function Names({ title, rows, labels, empty = "none", unit }: NamesProps) {
  const most = Math.max(1, ...rows.map((row) => row.count));
  return (
    <figure className="card card--pad chart">
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      <ul className="chart__names">
        {rows.map((row) => (
          <li key={row.name}>
            <span className="chart__name">{labels?.[row.name] ?? (row.name || empty)}</span>
            <span className="muted">{counted(row.count, unit)}</span>
            <meter className="chart__meter" aria-hidden max={most} value={row.count} />
          </li>
        ))}
      </ul>
    </figure>
  );
}
