import type { Comparison, Difference, Gate, Stage, TrainingRun } from "../../api/types";
import { count, counted, percent } from "../kit/format";
import { TableScroll } from "../kit/kit";
import { STAGE_NAMES } from "./stageNames";

interface Row {
  /** Its name in the gate's numbers. */
  readonly key: string;
  /** Its name in an evaluation's summary. */
  readonly summary: string;
  readonly label: string;
  /** +1: more is better, -1: less is better. */
  readonly better: 1 | -1;
  readonly digits: number;
}

const ROWS: readonly Row[] = [
  { key: "iou_1", summary: "miou_1", label: "IoU after 1 click", better: 1, digits: 3 },
  { key: "iou_3", summary: "miou_3", label: "IoU after 3 clicks", better: 1, digits: 3 },
  { key: "iou_5", summary: "miou_5", label: "IoU after 5 clicks", better: 1, digits: 3 },
  { key: "iou_box", summary: "miou_box", label: "IoU from a box", better: 1, digits: 3 },
  { key: "boundary_1", summary: "boundary_1", label: "Boundary IoU, 1 click", better: 1, digits: 3 },
  { key: "boundary_5", summary: "boundary_5", label: "Boundary IoU, 5 clicks", better: 1, digits: 3 },
  { key: "boundary_box", summary: "boundary_box", label: "Boundary IoU, box", better: 1, digits: 3 },
  { key: "noc85", summary: "noc85", label: "Clicks to 85 %", better: -1, digits: 2 },
  { key: "noc90", summary: "noc90", label: "Clicks to 90 %", better: -1, digits: 2 },
  { key: "calibration", summary: "calibration_error", label: "Calibration error", better: -1, digits: 3 },
];
const SCORE: Row = { key: "combined", summary: "", label: "Score", better: 1, digits: 3 };
const KINDS: readonly (readonly [string, string])[] = [
  ["stage", "By stage"],
  ["category", "By category"],
];

type Shown = Pick<Difference, "serving" | "candidate"> & Partial<Difference>;

/** Candidate beside serving, measured on the same held-out masks with the same clicks. */
export function MetricsTable({ run }: { run: TrainingRun }) {
  const gate = run.decision?.gate;
  if (!gate) return <Undecided run={run} />;
  const sure = percent(gate.confidence);
  return (
    <div className="stack stack--small">
      <Figures
        caption={`Measured on ${counted(gate.combined.masks, "held-out mask")} that no training has seen`}
        comparison={gate}
      />
      <p className="muted small">
        Score: the mean of the first four. Intervals ({sure}) come from drawing the {gate.resampled} anew; grey changes
        may be chance.
      </p>
      {KINDS.map(([kind, title]) => (
        <Groups key={kind} title={title} gate={gate} kind={kind} />
      ))}
    </div>
  );
}

/** While both models are being measured there is no decision and no interval yet. */
function Undecided({ run }: { run: TrainingRun }) {
  const summary = (role: string) => run.evaluations.find((one) => one.role === role)?.summary ?? {};
  const [serving, candidate] = [summary("serving"), summary("candidate")];
  const masks = candidate.masks ?? serving.masks;
  const rows = ROWS.flatMap((row): [Row, Shown][] => {
    const [from, to] = [serving[row.summary], candidate[row.summary]];
    return from == null && to == null ? [] : [[row, { serving: from ?? Number.NaN, candidate: to ?? Number.NaN }]];
  });
  return (
    <Table caption={`Measured on ${masks ? `${count(masks)} ` : ""}held-out masks`} rows={rows} intervals={false} />
  );
}

function Groups({ title, gate, kind }: { title: string; gate: Gate; kind: string }) {
  const groups = Object.entries(gate.groups[kind] ?? {});
  if (groups.length === 0) return null;
  const shown = (name: string) => (kind === "stage" ? (STAGE_NAMES[name as Stage] ?? name) : name);
  return (
    <details className="figures">
      <summary>
        {title} ({groups.length})
      </summary>
      <div className="stack stack--small figures__groups">
        {groups.map(([name, comparison]) => (
          <details key={name}>
            <summary>
              <b>{shown(name)}</b> · {counted(comparison.combined.masks, "mask")} · score{" "}
              {comparison.combined.serving.toFixed(3)} to {comparison.combined.candidate.toFixed(3)}{" "}
              <Change row={SCORE} value={comparison.combined} />
            </summary>
            <Figures caption={`${title}: ${shown(name)}`} comparison={comparison} />
          </details>
        ))}
      </div>
    </details>
  );
}

function Figures({ caption, comparison }: { caption: string; comparison: Comparison }) {
  const found = ROWS.flatMap((row): [Row, Shown][] => {
    const value = comparison.metrics[row.key];
    return value ? [[row, value]] : [];
  });
  return <Table caption={caption} rows={[[SCORE, comparison.combined], ...found]} intervals />;
}

function Table({ caption, rows, intervals }: { caption: string; rows: [Row, Shown][]; intervals: boolean }) {
  return (
    <TableScroll label={caption}>
      <table className="table table--figures">
        <caption className="muted small">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Measure</th>
            <th scope="col" className="number">
              Serving
            </th>
            <th scope="col" className="number">
              Candidate
            </th>
            <th scope="col" className="number">
              Change
            </th>
            {intervals && (
              <th scope="col" className="number">
                Interval
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(([row, value]) => (
            <tr key={row.key}>
              <th scope="row">{row.label}</th>
              <td className="number">{plain(value.serving, row)}</td>
              <td className="number">{plain(value.candidate, row)}</td>
              <td className="number">
                <Change row={row} value={value} />
              </td>
              {intervals && (
                <td className="number muted">
                  {signed(value.low, row)} to {signed(value.high, row)}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

const known = (value: number | undefined): value is number => value !== undefined && Number.isFinite(value);

const plain = (value: number, row: Row): string => (known(value) ? value.toFixed(row.digits) : "–");

function signed(value: number | undefined, row: Row): string {
  if (!known(value)) return "–";
  const text = Math.abs(value).toFixed(row.digits);
  const sign = Number(text) === 0 ? "±" : value > 0 ? "+" : "−";
  return `${sign}${text}`;
}

/** Coloured only where the interval leaves zero out: the rest may be chance. */
function Change({ row, value }: { row: Row; value: Shown }) {
  const change = value.mean ?? value.candidate - value.serving;
  const [low, high] = [value.low ?? change, value.high ?? change];
  const sure = low > 0 || high < 0;
  const good = change * row.better;
  return <span className={sure && good !== 0 ? (good > 0 ? "up" : "down") : undefined}>{signed(change, row)}</span>;
}
