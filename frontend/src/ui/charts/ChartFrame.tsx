import { Download, Image } from "lucide-react";
import { type ReactNode, type RefObject, useId } from "react";
import { Button } from "../kit/kit";
import { useToast } from "../kit/toast";
import { saveFile, saveSvgAsPng, toCsv } from "./download";

type Cell = string | number | null;

interface ChartFrameProps {
  title: string;
  svg: RefObject<SVGSVGElement | null>;
  header: readonly string[];
  rows: readonly (readonly Cell[])[];
  children: ReactNode;
}

/** A chart with its title, its numbers as a table, and both to take along. */
export function ChartFrame({ title, svg, header, rows, children }: ChartFrameProps) {
  const id = useId();
  const toast = useToast();
  const name = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const png = () => {
    if (!svg.current) return;
    saveSvgAsPng(svg.current, `${name}.png`).catch(() => toast("This browser could not draw the picture."));
  };
  return (
    <figure className="card card--pad chart" aria-labelledby={id}>
      <figcaption className="row row--between">
        <h3 id={id}>{title}</h3>
        <span className="row row--tight">
          <Button
            size="small"
            look="quiet"
            icon={Download}
            aria-label={`${title} as CSV`}
            disabled={rows.length === 0}
            onClick={() => saveFile(new Blob([toCsv(header, rows)], { type: "text/csv" }), `${name}.csv`)}
          >
            CSV
          </Button>
          <Button
            size="small"
            look="quiet"
            icon={Image}
            aria-label={`${title} as PNG`}
            disabled={rows.length === 0}
            onClick={png}
          >
            PNG
          </Button>
        </span>
      </figcaption>
      {children}
    </figure>
  );
}
