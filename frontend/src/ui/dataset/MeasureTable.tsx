import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { ImageRecord, Measurement } from "../../api/types";
import { Button, Note, TableScroll } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { keysOf, useAskAnew } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { figure, lengthTyped, pixelSizeText, QUANTITIES, type Quantity, SHORT, UNITS, unitOf } from "./units";

interface MeasureTableProps {
  chosen: { image: string | null; category: string | null };
  onImage: (image: number) => void;
}

const NAMES = Object.keys(QUANTITIES) as Quantity[];

/** Measured masks, one line each; of one image with its own scale. */
export function MeasureTable({ chosen, onImage }: MeasureTableProps) {
  const dataset = useDataset();
  const masks = usePages({
    queryKey: ["measurements", dataset.id, chosen.image, chosen.category],
    queryFn: (next) => api.measurements(dataset.id, chosen, next),
  });
  return (
    <>
      {chosen.image !== null && <ImageScale id={Number(chosen.image)} />}
      <Paged
        list={masks}
        loading="Loading the table"
        empty={<p className="muted">No measured mask is like that.</p>}
        more="Show more masks"
      >
        {(rows) => (
          <TableScroll label="Measurements of masks" card>
            <table className="table table--figures">
              <thead>
                <tr>
                  <th scope="col">Mask</th>
                  <th scope="col">Image</th>
                  {NAMES.map((name) => (
                    <th key={name} scope="col" className="number">
                      {SHORT[name]}, {unitOf(name, dataset.length_unit)}
                    </th>
                  ))}
                  <th scope="col" className="number">
                    Centroid, px
                  </th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <Row key={row.mask} row={row} alone={chosen.image !== null} onImage={onImage} />
                ))}
              </tbody>
            </table>
          </TableScroll>
        )}
      </Paged>
    </>
  );
}

interface RowProps {
  row: Measurement;
  alone: boolean;
  onImage: (image: number) => void;
}

function Row({ row, alone, onImage }: RowProps) {
  return (
    <tr>
      <td>
        <Link to={`/images/${row.image}?mask=${row.mask}`}>{row.category || "mask"}</Link>
      </td>
      <td>
        {alone ? (
          row.file_name
        ) : (
          <button type="button" className="link-button" onClick={() => onImage(row.image)}>
            {row.file_name}
          </button>
        )}
      </td>
      {NAMES.map((name) => (
        <td key={name} className="number" title={`${figure(row.pixels[name])} ${unitOf(name, "px")}`}>
          {row.values ? figure(row.values[name]) : "–"}
        </td>
      ))}
      <td className="number muted">
        {row.x.toFixed(1)}, {row.y.toFixed(1)}
      </td>
    </tr>
  );
}

/** The scale of one image: who tells it, and a field to tell it by hand. */
function ImageScale({ id }: { id: number }) {
  const image = useQuery({ queryKey: ["image", id], queryFn: () => api.image(id) });
  const dataset = useDataset();
  if (!image.data) return null;
  const { pixel_size: size, pixel_size_from: said } = image.data;
  const inherited = dataset.pixel_size === null ? "not known" : `${pixelSizeText(dataset.pixel_size)}, as the dataset`;
  return (
    <div className="row">
      <span>
        <b>{image.data.file_name}</b>{" "}
        <span className="muted">
          side of a pixel: {size === null || size === undefined ? inherited : `${pixelSizeText(size)}, ${said}`}
        </span>
      </span>
      {mayLead(dataset) && <ImageScaleForm key={String(size)} image={image.data} />}
    </div>
  );
}

function ImageScaleForm({ image }: { image: ImageRecord }) {
  const dataset = useDataset();
  const askAnew = useAskAnew();
  const [value, setValue] = useState("");
  const unit = dataset.length_unit === "px" ? "um" : dataset.length_unit;
  const number = lengthTyped(value);
  const save = useMutation({
    mutationFn: (metres: number | null) => api.setPixelSize(image.id, metres),
    onSuccess: () => askAnew([["image", image.id], ...keysOf(dataset.id, "measure-figures", "measurements")]),
  });
  return (
    <form
      className="row row--tight"
      onSubmit={(event) => {
        event.preventDefault();
        if (number > 0) save.mutate(number * (UNITS[unit].metres ?? 1));
      }}
    >
      <input
        className="input input--number input--small"
        inputMode="decimal"
        aria-label={`Side of a pixel of this image in ${UNITS[unit].plural}`}
        placeholder={UNITS[unit].name}
        value={value}
        onChange={(event) => setValue(event.target.value)}
      />
      <Button type="submit" size="small" busy={save.isPending} disabled={!(number > 0)}>
        Set
      </Button>
      {image.pixel_size != null && (
        <Button size="small" look="quiet" busy={save.isPending} onClick={() => save.mutate(null)}>
          Forget
        </Button>
      )}
      {save.isError && <Note tone="bad">{messageOf(save.error)}</Note>}
    </form>
  );
}
