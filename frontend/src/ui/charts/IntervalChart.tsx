import { useId, useRef } from "react";
import { ChartFrame } from "./ChartFrame";
import { everySo, scaleFromZero } from "./scale";

/** One measured point: null where it rests on too few cases. */
export interface Point {
  readonly label: string;
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Cases it rests on. */
  readonly of: number;
}

interface IntervalChartProps {
  title: string;
  /** What a case is: "masks". */
  unit: string;
  points: readonly Point[];
  format: (value: number) => string;
  /** Published or wished-for values, drawn as dashed lines with their names. */
  references?: readonly { readonly value: number; readonly label: string }[];
  /** Whether neighbours belong together, as steps of time do. */
  line?: boolean;
  fewest: number;
}

const WIDTH = 560;
const HEIGHT = 240;
const PAD = { left: 48, right: 16, top: 14, bottom: 34 };
const MOST_LABELS = 8;

/** Points with their 95 % intervals, and how many cases each rests on; as a table for those who do not see it. */
export function IntervalChart({ title, unit, points, format, references = [], line, fewest }: IntervalChartProps) {
  const svg = useRef<SVGSVGElement>(null);
  const id = useId();
  const known = points.filter((point) => point.value !== null);
  const rows = points.map(({ label, value, low, high, of }) => [label, value, low, high, of]);
  return (
    <ChartFrame title={title} svg={svg} header={["", "value", "low", "high", unit]} rows={rows}>
      {known.length === 0 ? (
        <p className="muted chart__none">
          Too few to say: {points.reduce((sum, point) => sum + point.of, 0)} of at least {fewest} {unit}.
        </p>
      ) : (
        <Plot ref={svg} id={id} title={title} points={points} format={format} references={references} line={line} />
      )}
    </ChartFrame>
  );
}

interface PlotProps extends Pick<IntervalChartProps, "title" | "points" | "format" | "line"> {
  id: string;
  references: NonNullable<IntervalChartProps["references"]>;
  ref: React.Ref<SVGSVGElement>;
}

function Plot({ id, title, points, format, references, line, ref }: PlotProps) {
  const [width, height] = [WIDTH - PAD.left - PAD.right, HEIGHT - PAD.top - PAD.bottom];
  const highest = Math.max(
    ...points.map((point) => point.high ?? point.value ?? 0),
    ...references.map((reference) => reference.value),
  );
  const scale = scaleFromZero(highest, height);
  const x = (at: number) => ((at + 0.5) / points.length) * width;
  const step = everySo(points.length, MOST_LABELS);
  const path = points
    .map((point, at) => (point.value === null ? null : `${x(at).toFixed(1)} ${scale.at(point.value).toFixed(1)}`))
    .filter((place) => place !== null)
    .join("L");
  const told = points
    .filter((point) => point.value !== null)
    .map((point) => `${point.label} ${format(point.value ?? 0)}`);
  return (
    <svg ref={ref} className="chart__plot" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-labelledby={id}>
      <title id={id}>{`${title}: ${told.join(", ")}`}</title>
      <g transform={`translate(${PAD.left} ${PAD.top})`}>
        {scale.ticks.map((tick) => (
          <g key={tick} transform={`translate(0 ${scale.at(tick).toFixed(1)})`}>
            <line className="chart__grid" x2={width} />
            <text className="chart__text" x={-8} dy="0.32em" textAnchor="end">
              {format(tick)}
            </text>
          </g>
        ))}
        {references.map(({ value, label }) => (
          <g key={label} transform={`translate(0 ${scale.at(value).toFixed(1)})`}>
            <line className="chart__reference" x2={width} />
            <text className="chart__text chart__text--reference" x={width} dy={-4} textAnchor="end">
              {label}
            </text>
          </g>
        ))}
        {line && <path className="chart__line" d={`M${path}`} />}
        {points.map((point, at) => (
          <PointMark key={point.label} point={point} x={x(at)} y={scale.at} format={format} />
        ))}
        {points.map(
          (point, at) =>
            at % step === 0 && (
              <text key={point.label} className="chart__text" x={x(at)} y={height + 20} textAnchor="middle">
                {point.label}
              </text>
            ),
        )}
      </g>
    </svg>
  );
}

interface MarkProps {
  point: Point;
  x: number;
  y: (value: number) => number;
  format: (value: number) => string;
}

function PointMark({ point, x, y, format }: MarkProps) {
  const { value, low, high, label, of } = point;
  if (value === null) return null;
  return (
    <g className="chart__point">
      <title>
        {`${label}: ${format(value)}${low === null || high === null ? "" : ` (${format(low)} to ${format(high)})`}, n = ${of}`}
      </title>
      {low !== null && high !== null && <line className="chart__interval" x1={x} x2={x} y1={y(low)} y2={y(high)} />}
      <circle className="chart__dot" cx={x} cy={y(value)} r={4} />
    </g>
  );
}
