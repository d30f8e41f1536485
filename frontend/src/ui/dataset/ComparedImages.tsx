import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/endpoints";
import type { ComparedImage, VersionComparison } from "../../api/types";
import { count, counted } from "../kit/format";
import { TableScroll } from "../kit/kit";
import { mayAnnotate, useDataset } from "./DatasetPage";
import { SideBySide } from "./SideBySide";

interface ComparedImagesProps {
  comparison: VersionComparison;
  result: NonNullable<VersionComparison["result"]>;
}

/** IoU of both versions image by image; one image opened to be asked about by hand. */
export function ComparedImages({ comparison, result }: ComparedImagesProps) {
  const dataset = useDataset();
  const [open, setOpen] = useState(result.images[0]?.image ?? null);
  return (
    <>
      <div className="card card--pad">
        <TableScroll label="IoU with the accepted masks">
          <table className="table table--figures">
            <caption className="muted small">
              Mean IoU with {counted(result.means.count, "accepted mask")}: after one click on the innermost pixel, and
              from the box. The last column of each is second minus first.
            </caption>
            <thead>
              <tr>
                <th scope="col">Image</th>
                <th scope="col" className="number">
                  Masks
                </th>
                {["Click", "Box"].map((prompt) =>
                  ["first", "second", "change"].map((which) => (
                    <th key={`${prompt} ${which}`} scope="col" className="number">
                      {prompt}, {which}
                    </th>
                  )),
                )}
              </tr>
            </thead>
            <tbody>
              {result.images.map((image) => (
                <ImageRow
                  key={image.image}
                  image={image}
                  open={image.image === open}
                  onOpen={() => setOpen(image.image)}
                />
              ))}
              <tr>
                <th scope="row">All masks</th>
                <td className="number">{count(result.means.count)}</td>
                <Pair values={result.means.click} />
                <Pair values={result.means.box} />
              </tr>
            </tbody>
          </table>
        </TableScroll>
      </div>
      {open !== null && mayAnnotate(dataset) && <SideBySide key={open} comparison={comparison} imageId={open} />}
    </>
  );
}

interface ImageRowProps {
  image: ComparedImage;
  open: boolean;
  onOpen: () => void;
}

function ImageRow({ image, open, onOpen }: ImageRowProps) {
  const record = useQuery({ queryKey: ["image", image.image], queryFn: () => api.image(image.image) });
  return (
    <tr>
      <th scope="row">
        <button type="button" className="link-button" aria-pressed={open} onClick={onOpen}>
          {record.data?.file_name ?? `image ${image.image}`}
        </button>
      </th>
      <td className="number">{image.count < image.of ? `${image.count} of ${image.of}` : count(image.count)}</td>
      <Pair values={image.click} />
      <Pair values={image.box} />
    </tr>
  );
}

function Pair({ values }: { values: readonly number[] | null }) {
  const [first, second] = values ?? [];
  if (first === undefined || second === undefined) {
    return ["first", "second", "change"].map((which) => (
      <td key={which} className="number">
        –
      </td>
    ));
  }
  const change = second - first;
  const sign = Math.abs(change) < 0.0005 ? "±" : change > 0 ? "+" : "−";
  return (
    <>
      <td className="number">{first.toFixed(3)}</td>
      <td className="number">{second.toFixed(3)}</td>
      <td className="number">
        {sign}
        {Math.abs(change).toFixed(3)}
      </td>
    </>
  );
}
