import type { Measured, WorkFigures } from "../../api/types";
import { saveFile, toCsv } from "../charts/download";
import { count, percent } from "../kit/format";
import { Button, TableScroll } from "../kit/kit";

interface WorkTableProps {
  title: string;
  label: string;
  rows: readonly (WorkFigures & { key: string; name: string })[];
}

const figure = ({ value }: Measured, format: (value: number) => string) =>
  value === null ? <span className="muted">too few</span> : format(value);

/** The figures of people, stages or versions side by side. */
export function WorkTable({ title, label, rows }: WorkTableProps) {
  if (rows.length === 0) return null;
  const csv = () => {
    const header = [label, "masks", "seconds", "clicks", "one click", "prefilled kept", "prefilled decided"];
    const cells = rows.map((row) => [
      row.name || row.key,
      row.masks,
      row.seconds.value,
      row.prompts.value,
      row.one_click.value,
      row.kept.value,
      row.kept.of,
    ]);
    const name = `${title.toLowerCase().replaceAll(" ", "-")}.csv`;
    saveFile(new Blob([toCsv(header, cells)], { type: "text/csv" }), name);
  };
  return (
    <section className="stack stack--small">
      <div className="row row--between">
        <h2>{title}</h2>
        <Button size="small" look="quiet" onClick={csv} aria-label={`${title} as CSV`}>
          CSV
        </Button>
      </div>
      <TableScroll label={title} card>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{label}</th>
              {["Masks", "Seconds each", "Clicks each", "One click", "Prefilled untouched"].map((head) => (
                <th key={head} scope="col" className="number">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.key}>
                <td>{row.name || row.key.slice(0, 12)}</td>
                <td className="number">{count(row.masks)}</td>
                <td className="number">{figure(row.seconds, (value) => value.toFixed(1))}</td>
                <td className="number">{figure(row.prompts, (value) => value.toFixed(2))}</td>
                <td className="number">{figure(row.one_click, percent)}</td>
                <td className="number">{figure(row.kept, percent)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </section>
  );
}
