import { useRef, useState } from "react";
import type { Distribution, MeasureFigures as Figures, LengthUnit } from "../../api/types";
import { ChartFrame } from "../charts/ChartFrame";
import { scaleFromZero } from "../charts/scale";
import { count, counted } from "../kit/format";
import { TableScroll } from "../kit/kit";
import { figure, QUANTITIES, type Quantity, SHORT, unitOf } from "./units";

const [WIDTH, HEIGHT] = [560, 220];
const MARGIN = { left: 46, right: 12, top: 10, bottom: 34 };

/** What the measurements of a dataset come to: one quantity as a distribution, all as a table, and by category. */
export function MeasureFigures({ figures }: { figures: Figures }) {
  const [chosen, setChosen] = useState<Quantity>("area");
  const shown = figures.quantities.find((one) => one.name === chosen);
  if (!shown) return null;
  return (
    <>
      <div className="columns">
        <Summary figures={figures} />
        <div className="stack stack--small">
          <div className="row">
            <select
              className="input input--small"
              aria-label="Quantity"
              value={chosen}
              onChange={(event) => setChosen(event.target.value as Quantity)}
            >
              {Object.entries(QUANTITIES).map(([name, label]) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </select>
          </div>
          <DistributionChart values={shown} unit={figures.unit} />
        </div>
      </div>
      {figures.categories.length > 1 && <Categories figures={figures} chosen={chosen} />}
    </>
  );
}

function DistributionChart({ values, unit }: { values: Distribution; unit: LengthUnit }) {
  const svg = useRef<SVGSVGElement>(null);
  const [wide, high] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const scale = scaleFromZero(Math.max(...values.bars), high);
  const step = values.edge / values.bars.length;
  const across = (value: number) => MARGIN.left + (value / values.edge) * wide;
  const name = `${QUANTITIES[values.name]} of masks (${unitOf(values.name, unit)})`;
  const rows = values.bars.map((masks, at) => [at * step, (at + 1) * step, masks] as const);
  return (
    <ChartFrame title={name} svg={svg} header={["from", "to", "masks"]} rows={rows}>
      <svg
        ref={svg}
        className="chart__plot"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${name}: median ${figure(values.median)}, 90 % between ${figure(values.p5)} and ${figure(values.p95)}`}
      >
        {scale.ticks.map((tick) => (
          <g key={tick}>
            <line
              className="chart__grid"
              x1={MARGIN.left}
              x2={WIDTH - MARGIN.right}
              y1={MARGIN.top + scale.at(tick)}
              y2={MARGIN.top + scale.at(tick)}
            />
            <text className="chart__text" x={MARGIN.left - 6} y={MARGIN.top + scale.at(tick) + 4} textAnchor="end">
              {count(tick)}
            </text>
          </g>
        ))}
        {values.bars.map((masks, at) => (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is known by its place
            key={at}
            className="chart__bar"
            x={across(at * step) + 1}
            width={Math.max(1, wide / values.bars.length - 2)}
            y={MARGIN.top + scale.at(masks)}
            height={high - scale.at(masks)}
          >
            <title>{`${figure(at * step)} to ${figure((at + 1) * step)}: ${counted(masks, "mask")}`}</title>
          </rect>
        ))}
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <text
            key={part}
            className="chart__text"
            x={MARGIN.left + part * wide}
            y={HEIGHT - 14}
            textAnchor={part === 0 ? "start" : part === 1 ? "end" : "middle"}
          >
            {figure(part * values.edge)}
            {part === 1 ? "+" : ""}
          </text>
        ))}
      </svg>
    </ChartFrame>
  );
}

const COLUMNS = [
  ["mean", "Mean"],
  ["deviation", "Deviation"],
  ["least", "Least"],
  ["p5", "5 %"],
  ["median", "Median"],
  ["p95", "95 %"],
  ["most", "Most"],
] as const;

function Summary({ figures }: { figures: Figures }) {
  return (
    <div className="card card--pad">
      <TableScroll label="Figures of the dataset">
        <table className="table table--figures">
          <caption className="muted small">
            {counted(figures.quantities[0]?.count ?? 0, "mask")} on {counted(figures.images, "image")}
            {figures.sampled !== null && ", a regular sample"}
          </caption>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {figures.quantities.map((one) => (
                <th key={one.name} scope="col" className="number">
                  {SHORT[one.name]}, {unitOf(one.name, figures.unit)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {COLUMNS.map(([key, label]) => (
              <tr key={key}>
                <th scope="row">{label}</th>
                {figures.quantities.map((one) => (
                  <td key={one.name} className="number">
                    {one[key] === null ? "–" : figure(one[key])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableScroll>
    </div>
  );
}

function Categories({ figures, chosen }: { figures: Figures; chosen: Quantity }) {
  return (
    <div className="card card--pad">
      <TableScroll label="Figures by category">
        <table className="table table--figures">
          <caption className="muted small">
            {QUANTITIES[chosen]} by category, {unitOf(chosen, figures.unit)}
          </caption>
          <thead>
            <tr>
              <th scope="col">Category</th>
              <th scope="col" className="number">
                Masks
              </th>
              {COLUMNS.map(([key, label]) => (
                <th key={key} scope="col" className="number">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {figures.categories.map((category) => {
              const one = category.quantities.find((row) => row.name === chosen);
              if (!one) return null;
              return (
                <tr key={category.name}>
                  <th scope="row">{category.name || "no category"}</th>
                  <td className="number">{count(one.count)}</td>
                  {COLUMNS.map(([key]) => (
                    <td key={key} className="number">
                      {one[key] === null ? "–" : figure(one[key])}
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </TableScroll>
    </div>
  );
}
