import type { TrainingRun } from "../../api/types";
import { count, score } from "../kit/format";
import { TableScroll } from "../kit/kit";

interface Row {
  readonly key: string;
  readonly label: string;
  /** +1: more is better, -1: less is better, 0: told for information. */
  readonly better: 1 | -1 | 0;
  readonly digits: number;
}

const ROWS: readonly Row[] = [
  { key: "miou_1", label: "IoU after 1 click", better: 1, digits: 3 },
  { key: "miou_3", label: "IoU after 3 clicks", better: 1, digits: 3 },
  { key: "miou_5", label: "IoU after 5 clicks", better: 1, digits: 3 },
  { key: "miou_box", label: "IoU from a box", better: 1, digits: 3 },
  { key: "noc85", label: "Clicks to 85 %", better: -1, digits: 2 },
  { key: "noc90", label: "Clicks to 90 %", better: -1, digits: 2 },
];

/** Candidate beside serving, measured on the same held-out masks with the same clicks. */
export function MetricsTable({ run }: { run: TrainingRun }) {
  const serving = run.evaluations.find((one) => one.role === "serving");
  const candidate = run.evaluations.find((one) => one.role === "candidate");
  const masks = candidate?.summary.masks ?? serving?.summary.masks;
  return (
    <TableScroll label="Measured figures">
      <table className="table">
        <caption className="muted small">
          Measured on {masks ? `${count(masks)} ` : ""}held-out masks that no training has seen
        </caption>
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
          </tr>
        </thead>
        <tbody>
          {ROWS.map((row) => (
            <tr key={row.key}>
              <th scope="row">{row.label}</th>
              <td className="number">{shown(serving?.summary[row.key], row)}</td>
              <td className="number">{shown(candidate?.summary[row.key], row)}</td>
              <td className="number">
                <Change row={row} from={serving?.summary[row.key]} to={candidate?.summary[row.key]} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function shown(value: number | null | undefined, row: Row): string {
  return row.digits === 3 ? score(value) : (value?.toFixed(row.digits) ?? "–");
}

function Change({ row, from, to }: { row: Row; from?: number | null; to?: number | null }) {
  if (from == null || to == null) return <>–</>;
  const change = to - from;
  const text = `${change > 0 ? "+" : change < 0 ? "−" : "±"}${Math.abs(change).toFixed(row.digits)}`;
  const good = change * row.better;
  return <span className={good > 0 ? "up" : good < 0 ? "down" : undefined}>{text}</span>;
}
