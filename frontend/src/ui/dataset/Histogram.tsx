import { counted } from "../kit/format";

interface HistogramProps {
  title: string;
  note?: string;
  bars: readonly { name: string; value: number }[];
  unit: string;
}

const WIDTH = 320;
const HEIGHT = 120;

/** Bars of counts. A table for those who do not see them. */
export function Histogram({ title, note, bars, unit }: HistogramProps) {
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  const step = WIDTH / bars.length;
  const every = bars.length > 10 ? 5 : 1;
  return (
    <figure className="card card--pad chart">
      <figcaption>
        <h3>{title}</h3>
        {note && <p className="muted small">{note}</p>}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="chart__bars" preserveAspectRatio="none" aria-hidden="true">
        {bars.map((bar, place) => {
          const height = (bar.value / most) * (HEIGHT - 2);
          return (
            <rect key={bar.name} x={place * step + 1} y={HEIGHT - height} width={step - 2} height={height}>
              <title>{`${bar.name}: ${counted(bar.value, unit)}`}</title>
            </rect>
          );
        })}
      </svg>
      <div className="chart__axis" aria-hidden="true">
        {bars.map((bar, place) => (
          <span key={bar.name}>{place % every === 0 ? bar.name : ""}</span>
        ))}
      </div>
      <table className="sr-only">
        <caption>{title}</caption>
        <tbody>
          {bars.map((bar) => (
            <tr key={bar.name}>
              <th scope="row">{bar.name}</th>
              <td>{counted(bar.value, unit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

/** Counts on a grid, rows from the top: the darker, the more. */
export function CentreMap({
  title,
  note,
  grid,
}: {
  title: string;
  note: string;
  grid: readonly (readonly number[])[];
}) {
  const most = Math.max(1, ...grid.flat());
  const total = grid.flat().reduce((sum, value) => sum + value, 0);
  const middle = grid.slice(8, 24).flatMap((row) => row.slice(8, 24));
  const share = middle.reduce((sum, value) => sum + value, 0) / Math.max(1, total);
  return (
    <figure className="card card--pad chart">
      <figcaption>
        <h3>{title}</h3>
        <p className="muted small">{note}</p>
      </figcaption>
      <svg
        viewBox={`0 0 ${grid[0]?.length ?? 1} ${grid.length}`}
        className="chart__map"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${Math.round(share * 100)} % of the centres lie in the middle quarter of the picture`}
      >
        {grid.flatMap((row, y) =>
          row.map((value, x) =>
            value === 0 ? null : (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: cells are known by their place
                key={`${x} ${y}`}
                x={x}
                y={y}
                width={1}
                height={1}
                fillOpacity={0.15 + 0.85 * Math.sqrt(value / most)}
              />
            ),
          ),
        )}
      </svg>
    </figure>
  );
}
