import { useQuery } from "@tanstack/react-query";
import { ChartSpline } from "lucide-react";
import { api } from "../../api/endpoints";
import type { Measured, Proof, WorkFigures } from "../../api/types";
import { IntervalChart, type Point } from "../charts/IntervalChart";
import { ago, count, counted, percent } from "../kit/format";
import { EmptyState, ErrorState, Loading, Note } from "../kit/kit";
import { CostCard } from "./CostCard";
import { useDataset } from "./DatasetPage";
import { STAGE_NAMES } from "./stageNames";
import { WorkTable } from "./WorkTable";

/** Published by Kirillov et al. 2023, section 4: the first stage of SA-1B at its start and at its end. */
const REFERENCES = [
  { value: 34, label: "SAM paper, start: 34 s" },
  { value: 14, label: "SAM paper, end: 14 s" },
];

const seconds = (value: number): string => `${Number(value.toFixed(1))} s`;
const plain = (value: number): string => String(Number(value.toFixed(2)));

/** Whether the loop pays: what a mask takes, how much the model does by itself, how good it is, what it costs. */
export function ProofTab() {
  const dataset = useDataset();
  const proof = useQuery({ queryKey: ["proof", dataset.id], queryFn: () => api.proof(dataset.id), staleTime: 30_000 });
  if (proof.isPending) return <Loading label="Adding up the work" />;
  if (proof.isLoadingError) return <ErrorState error={proof.error} retry={() => void proof.refetch()} />;
  const { data } = proof;
  const nothing = data.total.masks === 0 && data.total.kept.of === 0 && data.quality.length === 0;
  if (nothing && data.pending === 0) {
    return (
      <EmptyState icon={ChartSpline} title="Nothing to prove yet">
        Once people make masks here, you see what each takes, over time and by model version, and how good the models
        are.
      </EmptyState>
    );
  }
  return (
    <div className="stack stack--large">
      {data.pending > 0 && <Note>{counted(data.pending, "newer mask")} are still being added up.</Note>}
      <Totals proof={data} />
      {data.frames && <Frames frames={data.frames} fewest={data.fewest} />}
      <OverTime proof={data} />
      <Quality proof={data} />
      <WorkTable title="By model version" label="Version" rows={data.by_model} />
      <WorkTable
        title="By stage"
        label="Stage"
        rows={data.by_stage.map((row) => ({
          ...row,
          name: STAGE_NAMES[row.key as keyof typeof STAGE_NAMES] ?? row.key,
        }))}
      />
      {data.cost && <WorkTable title="By person" label="Person" rows={data.by_author} />}
      <div className="columns">
        {data.cost && <CostCard proof={data} cost={data.cost} />}
        <Happened proof={data} />
      </div>
    </div>
  );
}

function Totals({ proof }: { proof: Proof }) {
  const { total, images } = proof;
  return (
    <section className="stack stack--small" aria-labelledby="proof">
      <h2 id="proof">What a mask takes</h2>
      <div className="card card--pad facts">
        <Fact figure={total.seconds} format={seconds} label="per mask" unit="masks" />
        <Fact figure={total.prompts} format={plain} label="clicks per mask" unit="masks" />
        <Fact figure={total.one_click} format={percent} label="right after one click" unit="masks" />
        <Fact figure={total.kept} format={percent} label="of prefilled masks untouched" unit="decided" />
        <div>
          <span className="fact__value">{images.masks_per_image === null ? "–" : plain(images.masks_per_image)}</span>
          <span className="fact__label">masks per picture, n = {count(images.done)} pictures</span>
        </div>
      </div>
      <p className="muted small prose">
        Active time of people, idle time left out; masks that were kept as the model proposed them are not in it.
        Intervals are 95 %. A figure of fewer than {proof.fewest} cases is not shown.
      </p>
    </section>
  );
}

/** Frames that people masked beside those on which the model followed the object. */
function Frames({ frames, fewest }: { frames: NonNullable<Proof["frames"]>; fewest: number }) {
  return (
    <section className="stack stack--small" aria-labelledby="frames">
      <h2 id="frames">What a frame of video takes</h2>
      <div className="card card--pad facts">
        <Fact figure={frames.by_hand} format={seconds} label="per frame by hand" unit="frames" />
        <Fact figure={frames.followed} format={seconds} label="per frame that the model followed" unit="frames" />
      </div>
      <p className="muted small prose">
        Medians of the active time that the masks of tracks on a frame took people, corrections included. Looking
        through frames is in neither, and frames that were accepted in one go count with 0 s: following takes more than
        this says. These are different frames, not an experiment: the easy ones may be on one side. A figure of fewer
        than {fewest} frames is not shown.
      </p>
    </section>
  );
}

interface FactProps {
  figure: Measured;
  format: (value: number) => string;
  label: string;
  unit: string;
}

function Fact({ figure, format, label, unit }: FactProps) {
  const { value, low, high, of } = figure;
  return (
    <div>
      <span className="fact__value">{value === null ? "–" : format(value)}</span>
      <span className="fact__label">
        {label}
        <br />
        {value === null
          ? `too few to say (n = ${count(of)})`
          : `${low !== null && high !== null ? `${format(low)} to ${format(high)}, ` : ""}n = ${count(of)} ${unit}`}
      </span>
    </div>
  );
}

const STEPS = { day: "one day", week: "one week, from the date below it", month: "one month" };

/** "2026-11" of a month, else "11-21". */
const labelOf = (key: string, step: Proof["step"]): string => (step === "month" ? key.slice(0, 7) : key.slice(5));

function OverTime({ proof }: { proof: Proof }) {
  const series = (read: (row: WorkFigures) => Measured): Point[] =>
    proof.over_time.map((row) => ({ label: labelOf(row.key, proof.step), ...read(row) }));
  const perImage: Point[] = proof.images.over_time.map(({ key, images, masks }) => ({
    label: labelOf(key, proof.step),
    value: masks / images,
    low: null,
    high: null,
    of: images,
  }));
  const common = { line: true, fewest: proof.fewest };
  return (
    <section className="stack" aria-labelledby="time">
      <h2 id="time">Over time</h2>
      <p className="muted small">Each point is {STEPS[proof.step]}.</p>
      <div className="charts">
        <IntervalChart
          title="Seconds per mask"
          unit="masks"
          points={series((row) => row.seconds)}
          format={seconds}
          references={REFERENCES}
          {...common}
        />
        <IntervalChart
          title="Clicks per mask"
          unit="masks"
          points={series((row) => row.prompts)}
          format={plain}
          {...common}
        />
        <IntervalChart
          title="Right after one click"
          unit="masks"
          points={series((row) => row.one_click)}
          format={percent}
          {...common}
        />
        <IntervalChart
          title="Prefilled masks untouched"
          unit="masks"
          points={series((row) => row.kept)}
          format={percent}
          {...common}
        />
        <IntervalChart title="Masks per picture" unit="pictures" points={perImage} format={plain} {...common} />
      </div>
    </section>
  );
}

function Quality({ proof }: { proof: Proof }) {
  if (proof.quality.length === 0) return null;
  const series = (name: "miou_1" | "miou_3" | "miou_box"): Point[] =>
    proof.quality.map((version) => ({ label: version.name, ...version[name] }));
  const common = { unit: "held-out masks", format: plain, fewest: proof.fewest };
  return (
    <section className="stack" aria-labelledby="quality">
      <h2 id="quality">Held-out quality by version</h2>
      <p className="muted small prose">
        Mean IoU on pictures that no training has seen, oldest version first, each as it was last judged. Intervals by
        drawing pictures again and again; overlapping ones are no proof of a difference.
      </p>
      <div className="charts">
        <IntervalChart title="IoU after 1 click" points={series("miou_1")} {...common} />
        <IntervalChart title="IoU after 3 clicks" points={series("miou_3")} {...common} />
        <IntervalChart title="IoU from a box" points={series("miou_box")} {...common} />
      </div>
    </section>
  );
}

/** Stages and audits, oldest first. */
function Happened({ proof }: { proof: Proof }) {
  const moves = proof.moves.map(({ at, from_stage, to_stage }) => ({
    at,
    text: `${STAGE_NAMES[from_stage]} → ${STAGE_NAMES[to_stage]}`,
  }));
  const audits = proof.audits.map(({ closed_at, numbers, source }) => ({
    at: closed_at,
    text: auditText(numbers, source),
  }));
  const all = [...moves, ...audits].toSorted((a, b) => a.at.localeCompare(b.at));
  return (
    <section className="card card--pad stack" aria-labelledby="happened">
      <h2 id="happened">Stages and audits</h2>
      {all.length === 0 ? (
        <p className="muted">The dataset is where it began, and no audit is closed.</p>
      ) : (
        <ol className="timeline">
          {all.map(({ at, text }) => (
            <li key={at + text}>
              {text} <span className="muted small">{ago(at)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function auditText(numbers: Proof["audits"][number]["numbers"], source: string): string {
  const figure = numbers.above_90;
  const share = figure ? `${percent(figure.value)} (${percent(figure.low)} to ${percent(figure.high)})` : "nothing";
  const of = `${counted(numbers.pairs, "mask")} on ${counted(numbers.images, "picture")}`;
  return `Audit of ${source} masks: ${share} above 0.90 IoU, ${of}`;
}
