import type { TrainingRun } from "../../api/types";
import { count } from "../kit/format";

const WIDTH = 400;
const HEIGHT = 120;

/** Loss by step: as measured, and smoothed so that its direction is seen. */
export function LossCurve({ curve }: { curve: TrainingRun["curve"] }) {
  const points = curve.filter(
    (point): point is { step: number; loss: number } => point.loss != null && point.step != null,
  );
  if (points.length < 2) return null;
  const losses = points.map((point) => point.loss);
  const high = Math.max(...losses);
  const low = Math.min(...losses);
  const first = points[0]?.step ?? 0;
  const last = points.at(-1)?.step ?? 1;
  const x = (step: number) => ((step - first) / Math.max(1, last - first)) * WIDTH;
  const y = (loss: number) => HEIGHT - 4 - ((loss - low) / Math.max(1e-9, high - low)) * (HEIGHT - 8);
  const path = (values: readonly number[]) =>
    values
      .map((value, at) => `${at ? "L" : "M"}${x(points[at]?.step ?? 0).toFixed(1)} ${y(value).toFixed(1)}`)
      .join("");
  return (
    <figure className="curve-figure">
      <svg
        className="curve"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Loss from ${losses[0]?.toFixed(3)} to ${losses.at(-1)?.toFixed(3)} in ${last} steps`}
      >
        {[0.25, 0.5, 0.75].map((share) => (
          <line key={share} className="curve__grid" x1={0} x2={WIDTH} y1={HEIGHT * share} y2={HEIGHT * share} />
        ))}
        <path className="curve__raw" d={path(losses)} />
        <path className="curve__line" d={path(smoothed(losses))} />
      </svg>
      <figcaption className="row row--between small muted">
        <span>
          loss from {losses[0]?.toFixed(2)} to {losses.at(-1)?.toFixed(2)}
        </span>
        <span>step {count(last)}</span>
      </figcaption>
    </figure>
  );
}

/** Exponential moving average over about a tenth of the points. */
function smoothed(values: readonly number[]): number[] {
  const weight = Math.min(1, 10 / values.length + 0.1);
  let mean = values[0] ?? 0;
  return values.map((value) => {
    mean += weight * (value - mean);
    return mean;
  });
}
